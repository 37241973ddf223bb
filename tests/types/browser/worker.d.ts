/** The contract names the scope of workers, which the DOM's declarations for pages leave out. */

interface DedicatedWorkerGlobalScope extends EventTarget {
  postMessage(message: unknown, transfer?: Transferable[]): void;
}
declare var DedicatedWorkerGlobalScope: { prototype: DedicatedWorkerGlobalScope; new (): DedicatedWorkerGlobalScope };
