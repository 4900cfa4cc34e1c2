/** What sampled requests wait for and hold at an engine, and the spans that come of it. */

import type { Attributes } from "../../tracing/span.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { Tracer } from "../../tracing/tracer.ts";
import { HOLD, SERVER_STOPPED, WAIT, WORDS } from "../../tracing/words.ts";

export interface OpenTraces {
  /** How many wait or hold: with none a step is not looked at. */
  readonly size: number;
  /** A sampled request is asked under this id. `waits`: whether it may wait; of one that may not there is no such span. */
  ask(id: string, request: Omit<TracedRequest, "since">, now: number): void;
  isWaiting(id: string): boolean;
  /** It waits under another id: its place is that of an older request. */
  rename(id: string, to: string): void;
  /** It was granted; `held`: the id under which it holds something from now on. */
  granted(id: string, now: number, grant: { readonly attributes: Attributes; readonly held: string | undefined }): void;
  /** It is out of its queue without a grant. */
  notGranted(id: string, now: number, attributes: Attributes): void;
  isHolding(id: string): boolean;
  /** What it has held has ended, in this way. */
  ended(id: string, now: number, end: string): void;
  /** The server stops. */
  close(now: number): void;
}

interface TracedRequest {
  readonly trace: TraceContext;
  /** µs: when it was asked. */
  readonly since: number;
  readonly waits: boolean;
  readonly attributes: Attributes;
}

/** Those that are followed at once; more than any sampling is meant to bring, and of those beyond there are no spans. */
const MOST = 10_000;

export function createOpenTraces(tracer: Pick<Tracer, "add">): OpenTraces {
  const waiting = new Map<string, TracedRequest>();
  const holding = new Map<string, TracedRequest>();

  function noteWait({ trace, since, waits, attributes }: TracedRequest, now: number, more: Attributes): void {
    if (!waits) return;
    tracer.add(
      trace,
      { start: since, end: now },
      { name: WAIT, attributes: { ...attributes, ...more }, isError: false },
    );
  }

  function noteHold({ trace, since, attributes }: TracedRequest, now: number, end: string): void {
    const words = { name: HOLD, attributes: { ...attributes, [WORDS.holdEnd]: end }, isError: false };
    tracer.add(trace, { start: since, end: now }, words);
  }

  function take(from: Map<string, TracedRequest>, id: string): TracedRequest | undefined {
    const one = from.get(id);
    from.delete(id);
    return one;
  }

  return {
    get size() {
      return waiting.size + holding.size;
    },
    ask(id, request, now) {
      if (waiting.size + holding.size < MOST) waiting.set(id, { ...request, since: now });
    },
    isWaiting: (id) => waiting.has(id),
    rename(id, to) {
      const one = take(waiting, id);
      if (one !== undefined && !waiting.has(to)) waiting.set(to, one);
    },
    granted(id, now, { attributes, held }) {
      const one = take(waiting, id);
      if (one === undefined) return;
      noteWait(one, now, { ...attributes, [WORDS.waitEnd]: "granted" });
      if (held === undefined || holding.has(held)) return;
      holding.set(held, { ...one, since: now, attributes: { ...one.attributes, ...attributes } });
    },
    notGranted(id, now, attributes) {
      const one = take(waiting, id);
      if (one !== undefined) noteWait(one, now, attributes);
    },
    isHolding: (id) => holding.has(id),
    ended(id, now, end) {
      const one = take(holding, id);
      if (one !== undefined) noteHold(one, now, end);
    },
    close(now) {
      for (const one of waiting.values()) noteWait(one, now, { [WORDS.waitEnd]: SERVER_STOPPED });
      for (const one of holding.values()) noteHold(one, now, SERVER_STOPPED);
      waiting.clear();
      holding.clear();
    },
  };
}

/** The attributes of a wait that was refused, or that its client has given up. */
export function refusedAttributes(reason: string): Attributes {
  return { [WORDS.waitEnd]: "refused", [WORDS.reason]: reason };
}

export const LEFT: Attributes = { [WORDS.waitEnd]: "left" };
