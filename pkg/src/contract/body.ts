/** A message before it is sent: its options, and what its content type and the schema make of its body. */

import { inside } from "../queue/in-handler";
import { copy, move } from "../bodies/clone";
import { show } from "./errors";
import { messageOf } from "./foreign";
import { sendOptions, type Terms } from "./options";
import type { Transferable } from "./platform";
import type { Headers } from "./store";
import type { MessageSendRequest, SendOptions, StandardSchemaV1 } from "./types";

/** A body as its content type asks; left out, it is cloned as it is. */
export function encode(body: unknown, { contentType }: SendOptions | MessageSendRequest): unknown {
  switch (contentType) {
    case undefined:
    case "v8":
      return body;
    case "text":
      if (typeof body !== "string") throw new TypeError(`a body of contentType "text" must be a string, not ${show(body)}`);
      return body;
    case "bytes":
      if (body instanceof ArrayBuffer) return body;
      if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice().buffer;
      throw new TypeError(`a body of contentType "bytes" must be an ArrayBuffer or a view of one, not ${show(body)}`);
    case "json": {
      const json = JSON.stringify(body) as string | undefined;
      if (json === undefined) throw new TypeError(`a body of contentType "json" must be what JSON can say, not ${show(body)}`);
      return JSON.parse(json);
    }
    default:
      throw new TypeError(`contentType must be "json", "text", "bytes" or "v8", not ${show(contentType)}`);
  }
}

/** A message that is to be sent, as its options say. */
export interface Part {
  body: unknown;
  readonly terms: Terms;
  readonly headers?: Headers | undefined;
  transfer?: Transferable[] | undefined;
}

/** `plain`: the terms of those that name none. */
export function partOf(body: unknown, options: SendOptions | MessageSendRequest, plain: Terms): Part {
  const { headers, transfer, ...terms } = sendOptions(options);
  if (terms.delayMs < 0) terms.delayMs = plain.delayMs;
  return { body: encode(body, options), terms, headers, transfer };
}

/** Does something with the message at a place of a batch. */
export function partOfBatch(message: MessageSendRequest, at: number, plain: Terms, work: (part: Part) => unknown): void {
  if (typeof message !== "object" || message === null || !("body" in message))
    throw new TypeError(`message ${at} of the batch must be an object with a body, not ${show(message)}`);
  inBatch(at, () => work(isPlain(message) ? { body: message.body, terms: plain } : partOf(message.body, message, plain)));
}

/** Whether a request has a body and no options. */
function isPlain(request: MessageSendRequest): boolean {
  for (const key in request) if (key !== "body") return false;
  return true;
}

/** The same with a body of its own: its sender may change the other one while a schema takes its time. What moves has moved. */
export function keep(part: Part): Part {
  const { body, transfer } = part;
  if (!transfer) part.body = copy(body);
  else ({ body: part.body, transfer: part.transfer } = move(body, transfer));
  return part;
}

/** An error that `work` throws says which message of the batch it is about. */
export function inBatch(at: number, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    const text = `message ${at} of the batch: ${messageOf(error)}`;
    if (error instanceof DOMException) throw new DOMException(text, error.name);
    for (const Kind of [RangeError, TypeError]) if (error instanceof Kind) throw new Kind(text, { cause: error });
    throw error;
  }
}

/** What the schema makes of a body. */
export async function validate(schema: StandardSchemaV1 | undefined, body: unknown): Promise<unknown> {
  const result = (await inside(() => schema?.["~standard"].validate(body))) as { value?: unknown; issues?: readonly { message: string }[] };
  if (!result.issues) return result.value;
  throw new TypeError(`the body ${show(body)} does not fit the schema: ${result.issues.map((issue) => issue.message).join("; ")}`);
}
