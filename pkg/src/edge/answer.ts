/** What an address that a batch was posted to says: whether that was a delivery, and if not, what to do. */

import { Refusal } from "./errors";
import type { FetchAnswer } from "./types";

/** Answers that say "later". */
const LATER = [408, 425, 429];
const TOO_LARGE = 413;
const SHOWN_MAX = 200;
/** So much of an answer is read, for its connection can be used again then; of a longer one the rest is not waited for. */
const READ_MAX = 65_536;

/** Undefined: it has taken the batch. */
export function refusalOf(url: string, answer: FetchAnswer, text: string, now: () => number): Refusal | undefined {
  const { status, headers, redirected, type } = answer;
  const refused = (says: string, retry: boolean, unknown: boolean, split = false, afterMs = 0): Refusal =>
    new Refusal(new Error(`${url} ${says}${text && `: ${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text}`}`), retry,
      unknown, split, afterMs);
  // Whoever follows one may ask anew by GET, without the batch: what answers then is a page, and has taken nothing.
  if (redirected)
    return refused(`redirected the batch to ${answer.url}, where it did not arrive as it was sent: give the address that takes it`, false,
      true);
  if (type === "opaqueredirect" || (status >= 300 && status < 400)) {
    const to = headers.get("Location");
    return refused(
      `answered with a redirect${status ? ` (${status})` : ""}${
        to ? ` to ${to}` : ""
      }, which is not followed: give the address that takes the batch`,
      false,
      status <= 303,
    );
  }
  if (status >= 200 && status < 300) return undefined;
  const after = retryAfter(headers, now);
  const retry = status >= 500 || LATER.includes(status) || (status >= 400 && after !== undefined);
  return refused(`answered ${status}`, retry, !(status >= 400 && status < 500), status === TOO_LARGE, after);
}

/** `Retry-After` is seconds or a date (RFC 9110, 10.2.3); the date is by the clock of who answers, if that is told. */
function retryAfter(headers: FetchAnswer["headers"], now: () => number): number | undefined {
  const value = headers.get("Retry-After")?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = headers.get("Date");
  const ms = Date.parse(value) - (date ? Date.parse(date) : now());
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** The text of an answer, or its beginning; its body is read, or let go of. */
export async function said(answer: FetchAnswer, signal: AbortSignal): Promise<string> {
  try {
    if (answer.body === undefined) return await orAborted(answer.text(), signal);
    const reader = answer.body?.getReader();
    return reader ? await begun(reader, signal) : "";
  } catch {
    return "";
  }
}

async function begun(reader: ReturnType<NonNullable<FetchAnswer["body"]>["getReader"]>, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let size = 0; size < READ_MAX;) {
      const { done, value } = await orAborted(reader.read(), signal);
      if (done || !value) break;
      size += value.length;
      if (text.length <= SHOWN_MAX) text += decoder.decode(value, { stream: true });
    }
    return text;
  } catch {
    return text;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Not every `fetch` heeds its signal. */
export function orAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", abort = () => reject(signal.reason), { once: true }));
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
