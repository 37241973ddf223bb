/** Rings, which the end of a port loads when both sides can share memory. No entry of the package: it imports nothing that others have. */

export { openLink } from "./port/shared/link";
