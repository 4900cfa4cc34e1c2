/** Sends messages of OTLP over HTTP to a receiver, one at a time, and tells what came of each. */

import { readFile } from "node:fs/promises";
import { isHeaderValue, type OtlpHeaderSettings, type OtlpSettings, otlpUrl } from "../config/otlp-target.ts";
import { VERSION } from "../version.ts";

export type Sent =
  /** `answer`: the message of the receiver. */
  | { readonly kind: "sent"; readonly answer: Uint8Array }
  /** `message` says what is wrong. */
  | { readonly kind: "failed"; readonly message: string; readonly again: Again };

/** Whether the same message may be sent again: not at all, or after so many µs at least; 0: whenever the sender likes. */
export type Again = "never" | number;

export interface OtlpSenderOptions {
  readonly target: OtlpSettings;
  readonly signal: "traces" | "metrics";
}

/** ms for a receiver to answer. */
const TIMEOUT = 10_000;
/** What a receiver answers that may take the message later. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Of what a receiver says about a message that it does not take, in the log. */
const MOST_QUOTED = 200;

/** Returns what sends a message. It does not throw. */
export function createOtlpSender({
  target,
  signal,
}: OtlpSenderOptions): (message: Uint8Array<ArrayBuffer>) => Promise<Sent> {
  const url = otlpUrl(target, signal);
  return async (message) => {
    try {
      const headers = await headersOf(target.headers);
      const response = await fetch(url, {
        method: "POST",
        redirect: "manual",
        headers: { "user-agent": `ggen-backpressure/${VERSION}`, ...headers, "content-type": "application/x-protobuf" },
        body: message,
        signal: AbortSignal.timeout(TIMEOUT),
      });
      const answer = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return { kind: "sent", answer };
      const { status } = response;
      const again = LATER.has(status) ? secondsOf(response.headers.get("retry-after")) * 1_000_000 : "never";
      return { kind: "failed", message: `it answers ${status}${quoteOf(answer)}`, again };
    } catch (error) {
      return { kind: "failed", message: messageOf(error), again: 0 };
    }
  };
}

async function headersOf(headers: readonly OtlpHeaderSettings[]): Promise<Record<string, string>> {
  const named: Record<string, string> = {};
  for (const { name, value, valueFile } of headers)
    named[name] = valueFile === "" ? value : await readValue(name, valueFile);
  return named;
}

async function readValue(name: string, file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new Error(`the value of the header ${name} cannot be read: ${error.message}`);
  });
  const value = text.replace(/[\r\n]+$/, "");
  if (isHeaderValue(value)) return value;
  throw new Error(`the value of the header ${name}, in ${file}, is not one line of printable ASCII characters`);
}

/** A receiver that names a date, or nothing, is asked again whenever the sender likes. */
function secondsOf(retryAfter: string | null): number {
  return retryAfter !== null && /^\d{1,5}$/.test(retryAfter) ? Number(retryAfter) : 0;
}

function quoteOf(answer: Uint8Array): string {
  const text = new TextDecoder()
    .decode(answer.subarray(0, MOST_QUOTED))
    .replaceAll(/[^ -~]+/g, " ")
    .trim();
  return text === "" ? "" : `: ${text}`;
}

/** What fails beneath fetch is the cause of its error. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `it has not answered within ${TIMEOUT / 1000} s`;
  const { cause } = error;
  return cause instanceof Error
    ? cause.message || (cause as NodeJS.ErrnoException).code || error.message
    : error.message;
}
