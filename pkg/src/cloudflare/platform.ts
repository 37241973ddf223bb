/** What is used of Cloudflare's platform, by what it must have: the package's types do without `@cloudflare/workers-types`. */

type SqlValue = ArrayBuffer | string | number | null;

/** A Durable Object's storage, with SQLite behind it. */
export interface ObjectStorage {
  readonly sql: {
    exec(query: string, ...bindings: unknown[]): { toArray(): Record<string, SqlValue>[]; one(): Record<string, SqlValue> };
    readonly databaseSize: number;
  };
  transactionSync<T>(closure: () => T): T;
  sync(): Promise<void>;
  getAlarm(): Promise<number | null>;
  setAlarm(scheduledTime: number): Promise<void>;
}

/** The binding of a Durable Object class: `env.QUEUES`. */
export interface ObjectNamespace {
  idFromName(name: string): any;
  get(id: any): any;
}

/** A binding to a Worker with a `queue(batch, env, ctx)` handler: a service binding, of any entrypoint. */
export type Service = object;
