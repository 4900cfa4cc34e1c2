/** A holder's validity under clocks that sleep, freeze and are set, held against the definition in exact numbers. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { type Confirmed, createValidity, type Validity } from "../../src/client/hold/validity.ts";
import type { Moment } from "../../src/client/rpc/clock.ts";
import { createFakeClock, type FakeClock } from "./support/fake-clock.ts";

type Act =
  | { readonly kind: "advance" | "freeze" | "suspend" | "set"; readonly by: number }
  /** A confirmation of what was sent so many acts ago. */
  | { readonly kind: "confirm"; readonly by: number; readonly ago: number };

const ms = fc.integer({ min: 0, max: 5_000 });
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom("advance" as const, "freeze" as const, "suspend" as const), by: ms }),
    fc.record({ kind: fc.constant("set" as const), by: fc.integer({ min: -20_000, max: 20_000 }) }),
    fc.record({ kind: fc.constant("confirm" as const), by: ms, ago: fc.nat({ max: 10 }) }),
  ),
  { maxLength: 40 },
);

interface Scene {
  readonly clock: FakeClock;
  readonly validity: Validity;
  /** What is left by the definition. */
  left(): number;
  /** What was left each time that its end was reported. */
  readonly ends: readonly number[];
}

/** `check` looks on after each act. */
function play(script: readonly Act[], check: (scene: Scene) => void): Scene {
  const clock = createFakeClock();
  const moments: Moment[] = [clock.now()];
  const ends: number[] = [];
  let best: Confirmed = { sentAt: clock.now(), validFor: 3_000 };
  const leftOf = ({ sentAt, validFor }: Confirmed) => {
    const now = clock.now();
    return validFor - Math.max(now.monotonic - sentAt.monotonic, now.wall - sentAt.wall);
  };
  const left = () => leftOf(best);
  const validity = createValidity(clock, best, () => ends.push(left()));
  const scene = { clock, validity, left, ends };
  for (const act of script) {
    if (act.kind === "confirm") {
      // What is lost already is not confirmed.
      if (ends.length > 0) continue;
      const sentAt = moments.at(-1 - act.ago) ?? (moments[0] as Moment);
      const next = { sentAt, validFor: act.by };
      const better = leftOf(next) > left();
      validity.confirm(next);
      if (better) best = next;
    } else if (act.kind === "advance") clock.advance(act.by);
    else if (act.kind === "freeze") clock.freeze(act.by);
    else if (act.kind === "suspend") clock.suspend(act.by);
    else clock.setWall(act.by);
    moments.push(clock.now());
    check(scene);
  }
  return scene;
}

it("what is left is what the best of all confirmations leaves, by the clock that saw more of it pass", () => {
  fc.assert(
    fc.property(acts, (script) => {
      play(script, ({ validity, left }) => expect(validity.remaining()).toBe(left()));
    }),
    { numRuns: 500 },
  );
});

it("its end is reported once, when nothing is left, and with no timer after it", () => {
  fc.assert(
    fc.property(acts, (script) => {
      const { clock, validity, ends } = play(script, (scene) => {
        expect(scene.ends.length).toBeLessThanOrEqual(1);
      });
      while (ends.length === 0) clock.advance(Math.max(1, validity.remaining()));
      clock.advance(60_000);
      expect(ends).toHaveLength(1);
      expect(ends[0]).toBeLessThanOrEqual(0);
      expect(clock.pending()).toBe(0);
    }),
    { numRuns: 500 },
  );
});
