/**
 * Sends all metrics to a receiver of OTLP again and again. What is not delivered is not kept: counters add up, so the next message
 * says it all.
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Sent } from "../otlp/sender.ts";
import type { Collect } from "./collect.ts";
import { type OtlpOptions, writeOtlp } from "./otlp.ts";

export interface MetricsExporter {
  /** Sends what is measured now for the last time. Resolves when that is done, or its time is over. Harmless to call twice. */
  close(): Promise<void>;
}

export interface MetricsExporterOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Where the receiver is, for the log. */
  readonly url: string;
  /** µs between the beginnings of two exports. */
  readonly interval: number;
  readonly collect: Collect;
  /** Resolves in another turn of the event loop. */
  readonly turn: () => Promise<void>;
  readonly about: Omit<OtlpOptions, "now">;
  /** Never rejects. */
  readonly send: (message: Uint8Array<ArrayBuffer>) => Promise<Sent>;
}

/** Bytes of one message, about: collectors take 20 MiB. */
const MESSAGE_BYTES = 2 << 20;
/** µs between two lines about the same trouble. */
const QUIET_TIME = 60_000_000;
/** µs that the end of the server waits for the receiver. */
const LAST_WORDS = 2_000_000;

export function createMetricsExporter(options: MetricsExporterOptions): MetricsExporter {
  const { clock, log, url, interval, collect, turn, about, send } = options;
  let fails = false;
  let quietUntil = Number.NEGATIVE_INFINITY;
  let exporting: Promise<void> | undefined;
  let closed: Promise<void> | undefined;
  let dueAt = clock.now() + interval;
  let cancel = arm();

  function arm(): () => void {
    return clock.schedule(dueAt, false, () => {
      // One that takes longer than the interval is not overtaken.
      exporting ??= exportAll().finally(() => {
        exporting = undefined;
      });
      dueAt += interval;
      if (dueAt < clock.now()) dueAt = clock.now() + interval;
      cancel = arm();
    });
  }

  async function exportAll(): Promise<void> {
    try {
      for await (const message of messages()) {
        const sent = await send(message);
        if (sent.kind === "sent") continue;
        noteFailure(sent.message);
        return;
      }
      noteSuccess();
    } catch (error) {
      // The engine has ended meanwhile.
      log.debug({ event: "export-broken-off", err: error }, "an export of the metrics has broken off");
    }
  }

  async function* messages(): AsyncGenerator<Buffer<ArrayBuffer>, void, void> {
    const families = await collect();
    let pieces: Buffer[] = [];
    let bytes = 0;
    for (const piece of writeOtlp(families, { ...about, now: clock.wallTime(clock.now()) })) {
      pieces.push(piece);
      bytes += piece.byteLength;
      if (bytes >= MESSAGE_BYTES) {
        yield Buffer.concat(pieces);
        pieces = [];
        bytes = 0;
      }
      await turn();
    }
    if (bytes > 0) yield Buffer.concat(pieces);
  }

  function noteFailure(message: string): void {
    fails = true;
    if (clock.now() < quietUntil) return;
    quietUntil = clock.now() + QUIET_TIME;
    log.warn(
      { event: "metrics-not-sent", url, problem: message },
      "metrics are not delivered; the next export says what this one would have said",
    );
  }

  function noteSuccess(): void {
    if (!fails) return;
    fails = false;
    quietUntil = Number.NEGATIVE_INFINITY;
    log.info({ event: "metrics-sent-again", url }, "metrics are delivered again");
  }

  async function close(): Promise<void> {
    cancel();
    const late = Promise.withResolvers<void>();
    const callOff = clock.schedule(clock.now() + LAST_WORDS, false, late.resolve);
    const lastWords = (exporting ?? Promise.resolve()).then(exportAll);
    await Promise.race([lastWords, late.promise]);
    callOff();
  }

  return {
    close() {
      closed ??= close();
      return closed;
    },
  };
}
