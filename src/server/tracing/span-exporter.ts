/**
 * Sends spans to a receiver, in batches. They wait in a queue of bounded length: what finds it full is dropped, counted, and told to
 * the log once a minute. Nothing waits for the receiver.
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Sent } from "../otlp/sender.ts";
import type { Span } from "./span.ts";

export interface SpanExporter {
  take(span: Span): void;
  /** So many were dropped before they came here. */
  dropped(count: number): void;
  /** Sends what waits, and takes nothing more. Resolves when that is done, or its time is over. */
  close(): Promise<void>;
}

export interface SpanExporterOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Where the receiver is, for the log. */
  readonly url: string;
  readonly encode: (spans: readonly Span[]) => Uint8Array<ArrayBuffer>;
  readonly send: (message: Uint8Array<ArrayBuffer>) => Promise<Sent>;
  /** Returns what a receiver that has taken a message says against some of its spans; undefined: nothing. */
  readonly complaintOf: (answer: Uint8Array) => string | undefined;
}

/** Spans that wait at most: a few MB. */
const MOST_WAITING = 4_096;
const BATCH = 512;
/** µs for which a span waits for others. */
const GATHER = 1_000_000;
/** µs between two attempts at a receiver that fails: the first, and the longest. */
const FIRST_PAUSE = 1_000_000;
const LONGEST_PAUSE = 30_000_000;
/** µs between two lines about the same trouble. */
const QUIET_TIME = 60_000_000;
/** µs that the end of the server waits for the receiver. */
const LAST_WORDS = 2_000_000;

export function createSpanExporter(options: SpanExporterOptions): SpanExporter {
  const { clock, log, url, encode, send, complaintOf } = options;
  const waiting: Span[] = [];
  let dropped = 0;
  let droppedInAll = 0;
  let failures = 0;
  let quietUntil = Number.NEGATIVE_INFINITY;
  let sending: Promise<void> | undefined;
  let disarm: (() => void) | undefined;
  let closed = false;

  function arm(after: number): void {
    disarm ??= clock.schedule(clock.now() + after, false, () => {
      disarm = undefined;
      begin();
    });
  }

  function begin(): void {
    if (sending !== undefined || waiting.length === 0) return;
    disarm?.();
    disarm = undefined;
    sending = sendBatch().finally(() => {
      sending = undefined;
      if (waiting.length === 0 || closed) return;
      if (failures > 0) arm(Math.max(pause(), askedPause));
      else if (waiting.length >= BATCH) begin();
      else arm(GATHER);
    });
  }

  let askedPause = 0;

  async function sendBatch(): Promise<void> {
    const batch = waiting.slice(0, BATCH);
    const sent = await send(encode(batch));
    if (sent.kind === "sent") {
      waiting.splice(0, batch.length);
      if (failures > 0) log.info({ event: "spans-sent-again", url }, "spans are sent to the receiver again");
      failures = 0;
      const complaint = complaintOf(sent.answer);
      if (complaint !== undefined)
        warn("spans-rejected", { complaint }, "the receiver of spans has not taken all of them");
      return;
    }
    failures += 1;
    askedPause = sent.again === "never" ? 0 : sent.again;
    // What it will never take must not keep the others from it.
    if (sent.again === "never") count(waiting.splice(0, batch.length).length);
    warn(
      "spans-not-sent",
      { error: sent.message },
      "spans cannot be sent to their receiver; calls are not delayed by it",
    );
  }

  function pause(): number {
    return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
  }

  function count(more: number): void {
    dropped += more;
    droppedInAll += more;
  }

  function warn(event: string, about: object, message: string): void {
    if (clock.now() < quietUntil) return;
    quietUntil = clock.now() + QUIET_TIME;
    log.warn({ event, url, ...about, waiting: waiting.length, dropped, droppedInAll }, message);
    dropped = 0;
  }

  function drop(some: number): void {
    count(some);
    warn(
      "spans-dropped",
      {},
      "spans are dropped: more come than their receiver takes; a smaller traces.ratio, or fewer sampled callers, would do",
    );
  }

  return {
    take(span) {
      if (closed) return;
      if (waiting.length >= MOST_WAITING) {
        drop(1);
        return;
      }
      waiting.push(span);
      // Whatever becomes of the message that is on its way, there is a look at what waits then.
      if (sending !== undefined) return;
      if (failures > 0) arm(Math.max(pause(), askedPause));
      else if (waiting.length >= BATCH) begin();
      else arm(GATHER);
    },
    dropped: drop,
    async close() {
      if (closed) return;
      closed = true;
      disarm?.();
      const late = Promise.withResolvers<void>();
      const cancel = clock.schedule(clock.now() + LAST_WORDS, false, late.resolve);
      await Promise.race([sendRest(), late.promise]);
      cancel();
      if (waiting.length > 0)
        log.warn(
          { event: "spans-lost", url, dropped: waiting.length },
          "the server ends with spans that were not sent",
        );
    },
  };

  async function sendRest(): Promise<void> {
    await sending;
    while (waiting.length > 0 && failures === 0) await sendBatch();
  }
}
