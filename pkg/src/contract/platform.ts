/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The platform's types as the reader's own declarations have them (the DOM's, Node's, Cloudflare's), and a stand-in where
 * they have none: the package's types compile in each with `skipLibCheck: false`.
 */

/** What `new Name()` makes, where there is such a global. */
type Made<Name extends string, Otherwise> = typeof globalThis extends Record<Name, { prototype: infer Instance }> ? Instance : Otherwise;

/** What one can post to and hear: a `MessagePort`, a `Worker`, a worker's own scope. */
export type Port = Made<"MessagePort", never> | Made<"Worker", never> | EventPort | EmitterPort;
/** A port of the web, by what it must have. */
export interface EventPort {
  postMessage(message: unknown, transfer: any): void;
  addEventListener(type: string, listener: any): void;
  removeEventListener?(type: string, listener: any): void;
  start?(): void;
}
/** A port of Node's `worker_threads`, by what it must have. */
export interface EmitterPort {
  postMessage(message: unknown, transfer?: any): void;
  on(event: string, listener: (...args: any[]) => void): unknown;
}

export type Transferable = NonNullable<NonNullable<Parameters<typeof structuredClone>[1]>["transfer"]>[number];
export type ListenerOptions = boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal };
/** `Event`s of the queue are these; without `CustomEvent` in the declarations, an event with a detail. */
export type DetailEvent<Detail> = typeof globalThis extends { CustomEvent: { new (type: string): infer _ } } ? CustomEvent<Detail>
  : Event & { readonly detail: Detail };
export type ErrorEvent = Made<"ErrorEvent", Event & { readonly error: unknown; readonly message: string }>;
export type IDBTransaction = Made<"IDBTransaction", never>;
export type CryptoKey = Made<"CryptoKey", object>;
export type BufferSource = ArrayBuffer | ArrayBufferView;
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } } ? Module : object;
