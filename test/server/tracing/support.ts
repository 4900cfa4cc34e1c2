/** A tracer whose chance is a seed's, and whose spans a test reads. */

import type { Random } from "../../../src/server/tracing/random.ts";
import type { Span } from "../../../src/server/tracing/span.ts";
import { createTracer, type Tracer } from "../../../src/server/tracing/tracer.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";

/** Chance that comes to the same thing for the same seed (mulberry32). */
function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    fraction: () => next() / 2 ** 32,
    id: (bytes) =>
      Array.from({ length: bytes / 4 }, () => next().toString(16).padStart(8, "0"))
        .join("")
        .replace(/^0+$/, "1"),
  };
}

export interface TracerScene {
  readonly tracer: Tracer;
  readonly clock: FakeClock;
  readonly spans: readonly Span[];
  /** The names of the spans, and what those say of how they ended. */
  readonly told: readonly (readonly [name: string, ...about: unknown[]])[];
  ratio: number;
}

export function createTracerScene(seed = 1): TracerScene {
  const clock = createFakeClock();
  const spans: Span[] = [];
  const scene: TracerScene = {
    clock,
    spans,
    ratio: 0,
    get told() {
      return spans.map(({ name, start, end, attributes }) => {
        const how = attributes["backpressure.wait.end"] ?? attributes["backpressure.hold.end"];
        const reason = attributes["backpressure.refusal.reason"];
        return [name, Math.round((end - start) * 1000), how, ...(reason === undefined ? [] : [reason])] as const;
      });
    },
    tracer: createTracer({
      clock,
      random: createSeededRandom(seed),
      ratio: () => scene.ratio,
      onSpan: (span) => spans.push(span),
    }),
  };
  return scene;
}
