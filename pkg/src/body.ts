/** What a body must be before it is sent: what its content type says, and what the schema says. */

import { show } from "./errors";
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

export function checkedRequest<Body>(message: MessageSendRequest<Body>, at: number): MessageSendRequest<Body> {
  if (typeof message === "object" && message !== null && "body" in message) return message;
  throw new TypeError(`message ${at} of the batch must be an object with a body, not ${show(message)}`);
}

/** An error that says which message of a batch it is about. */
export function ofBatch(error: unknown, at: number): unknown {
  const { name, message } = error as Error;
  const text = `message ${at} of the batch: ${message}`;
  if (error instanceof DOMException) return new DOMException(text, name);
  if (error instanceof RangeError) return new RangeError(text, { cause: error });
  return error instanceof TypeError ? new TypeError(text, { cause: error }) : error;
}

/** What the schema makes of a body. */
export async function validate(schema: StandardSchemaV1 | undefined, body: unknown): Promise<unknown> {
  const result = (await schema?.["~standard"].validate(body)) as { value?: unknown; issues?: readonly { message: string }[] };
  if (!result.issues) return result.value;
  throw new TypeError(`the body ${show(body)} does not fit the schema: ${result.issues.map((issue) => issue.message).join("; ")}`);
}
