/** How long a client waits before it calls again: within bounds, whatever chance and the options say. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AdmissionError, ServerUnavailableError } from "../../src/client/api/errors.ts";
import { createBackoff, createRetries } from "../../src/client/rpc/retry.ts";

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const delay = fc.integer({ min: 1, max: 60_000 });
const attempts = fc.integer({ min: 1, max: 2_000 });

const byChance = (value: number) => ({ fraction: () => value, requestId: () => "" });
const gone = new ServerUnavailableError("db:50051", "gone");

function draining(retryAfterMs: number | undefined): AdmissionError {
  return new AdmissionError("about to stop", { reason: "DRAINING", code: "UNAVAILABLE", retryAfterMs });
}

describe("the backoff", () => {
  it("is from half to all of a delay that doubles up to the greatest, however many have failed", () => {
    fc.assert(
      fc.property(fraction, delay, delay, attempts, (chance, initialDelay, maxDelay, failed) => {
        const full = Math.min(maxDelay, initialDelay * 2 ** (failed - 1));
        const waited = createBackoff(byChance(chance), { initialDelay, maxDelay })(failed);
        expect(waited).toBeGreaterThanOrEqual(full / 2);
        expect(waited).toBeLessThanOrEqual(full);
        expect(waited).toBeLessThanOrEqual(maxDelay);
      }),
    );
  });

  it("never shrinks with more failures, chance aside", () => {
    fc.assert(
      fc.property(fraction, delay, delay, attempts, (chance, initialDelay, maxDelay, failed) => {
        const backoff = createBackoff(byChance(chance), { initialDelay, maxDelay });
        expect(backoff(failed + 1)).toBeGreaterThanOrEqual(backoff(failed));
      }),
    );
  });
});

describe("a call that is made again", () => {
  const options = fc.record({ maxAttempts: fc.integer({ min: 1, max: 20 }), initialDelay: delay, maxDelay: delay });

  it("is made as often as it may be, and no more", () => {
    fc.assert(
      fc.property(fraction, options, attempts, (chance, chosen, failed) => {
        const waited = createRetries(byChance(chance), chosen).delayAfter(gone, failed);
        if (failed >= chosen.maxAttempts) expect(waited).toBeUndefined();
        else expect(waited).toBeGreaterThan(0);
      }),
    );
  });

  it("waits for a server that is about to stop as long as that asks, and a backoff", () => {
    const asked = fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined });
    fc.assert(
      fc.property(fraction, options, attempts, asked, (chance, chosen, failed, retryAfterMs) => {
        const retries = createRetries(byChance(chance), chosen);
        const waited = retries.patientDelayAfter(draining(retryAfterMs), failed);
        if (chosen.maxAttempts === 1) expect(waited).toBeUndefined();
        else expect(waited).toBe((retryAfterMs ?? 0) + (retries.patientDelayAfter(gone, failed) ?? 0));
      }),
    );
  });

  it("is not for what an answer was, whatever it was", () => {
    const reasons = fc.constantFrom("QUEUE_FULL", "WAIT_TIMEOUT", "LIMITER_NOT_FOUND", "PAUSED", "UNKNOWN" as const);
    fc.assert(
      fc.property(fraction, options, reasons, (chance, chosen, reason) => {
        const error = new AdmissionError("no", { reason, code: "RESOURCE_EXHAUSTED", retryAfterMs: 5 });
        expect(createRetries(byChance(chance), chosen).delayAfter(error, 1)).toBeUndefined();
        expect(createRetries(byChance(chance), chosen).delayAfter(new TypeError("a bug"), 1)).toBeUndefined();
      }),
    );
  });
});
