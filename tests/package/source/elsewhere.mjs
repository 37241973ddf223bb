// Node's loader, with a stand-in for what only other platforms import.
const STAND_IN = "export class DurableObject {} export class WorkerEntrypoint {} export default {};";

export const resolve = (name, context, next) =>
  /^cloudflare:|\.wasm/.test(name)
    ? { url: `data:text/javascript,${encodeURIComponent(STAND_IN)}`, shortCircuit: true }
    : next(name, context);
