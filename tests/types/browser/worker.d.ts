/** The contract names the scope of workers, which the DOM's declarations for pages leave out. */

interface DedicatedWorkerGlobalScope extends EventTarget {
  postMessage(message: unknown, transfer?: Transferable[]): void;
}
// oxlint-disable-next-line no-var -- a global of the platform, declared as TypeScript does
declare var DedicatedWorkerGlobalScope: { prototype: DedicatedWorkerGlobalScope; new (): DedicatedWorkerGlobalScope };
