/** The circuit breaker: every state, and every way out of it. */

import { beforeEach, describe, expect, it } from "vitest";
import { AdmissionError, ServerError, ServerUnavailableError } from "../../src/client/api/errors.ts";
import type { AvailabilityNews } from "../../src/client/api/events.ts";
import { createAvailability, type Passage } from "../../src/client/rpc/availability.ts";

const gone = new ServerUnavailableError("db:50051", "gone");
const refusal = new AdmissionError("no", { reason: "PAUSED", code: "RESOURCE_EXHAUSTED" });
const draining = new AdmissionError("about to stop", { reason: "DRAINING", code: "UNAVAILABLE" });

let now: number;
let news: AvailabilityNews[];
let breaker: ReturnType<typeof createAvailability>;

beforeEach(() => {
  now = 1000;
  news = [];
  breaker = createAvailability({
    now: () => now,
    probeDelay: (failures) => 100 * failures,
    onNews: (n) => news.push(n),
  });
});

/** A call that takes a millisecond and ends with this. */
function call(error?: unknown): Passage {
  const passage = breaker.enter();
  passage.sent();
  now += 1;
  if (error === undefined) breaker.heard();
  else passage.failed(error);
  return passage;
}

function expectAway(): void {
  expect(breaker.isAway).toBe(true);
  expect(() => breaker.enter()).toThrow(ServerUnavailableError);
}

describe("closed", () => {
  it("lets every call pass, and none of them is a probe", () => {
    expect(call().isProbe).toBe(false);
    expect(call().isProbe).toBe(false);
    expect(news).toEqual([]);
  });

  it("opens when a call has found the server unavailable, and says so once", () => {
    const other = breaker.enter();
    call(gone);
    other.failed(gone);
    expectAway();
    expect(news).toEqual([{ kind: "outage-began", error: gone }]);
  });

  it.each([
    ["a refusal", refusal],
    ["a server that drains", draining],
    ["a server that fails", new ServerError("oops", "INTERNAL")],
    ["a fault of the program", new TypeError("x is not a function")],
    ["the caller's own abort", undefined],
  ])("stays closed after %s", (_, error) => {
    breaker.enter().failed(error);
    expect(breaker.isAway).toBe(false);
    expect(news).toEqual([]);
  });

  it("stays closed for a call that got no answer while others did", () => {
    const slow = breaker.enter();
    call();
    slow.failed(gone);
    expect(breaker.isAway).toBe(false);
    // What counts is its last attempt.
    const again = breaker.enter();
    call();
    now += 1;
    again.sent();
    again.failed(gone);
    expect(breaker.isAway).toBe(true);
  });
});

describe("open", () => {
  beforeEach(() => call(gone));

  it("fails calls at once, with what has happened and when the server is asked again", () => {
    now += 40;
    expect(() => breaker.enter()).toThrow(/db:50051 \(found unavailable before: gone; it is asked again in 60 ms\)/);
    expect(() => breaker.enter()).toThrow(
      expect.objectContaining({ retryAfterMs: 60, cause: gone, address: "db:50051" }),
    );
  });

  it("lets one call pass when a probe is due, and no other until that has ended", () => {
    now += 100;
    const probe = breaker.enter();
    expect(probe.isProbe).toBe(true);
    expectAway();
    expect(() => breaker.enter()).toThrow(expect.objectContaining({ retryAfterMs: undefined }));
    probe.failed(gone);
    expectAway();
  });

  it("closes at the first answer, to whatever call", () => {
    now += 9;
    breaker.heard();
    expect(breaker.isAway).toBe(false);
    expect(call().isProbe).toBe(false);
    expect(news.slice(1)).toEqual([{ kind: "outage-ended", lasted: 10 }]);
  });

  it("is not touched by calls from before that fail now", () => {
    now += 99;
    expect(() => breaker.enter()).toThrow(expect.objectContaining({ retryAfterMs: 1 }));
  });
});

describe("a probe", () => {
  let probe: Passage;
  beforeEach(() => {
    call(gone);
    now += 100;
    probe = breaker.enter();
  });

  it("that fails puts the next one off, longer with each", () => {
    probe.failed(gone);
    now += 199;
    expectAway();
    now += 1;
    const second = breaker.enter();
    second.failed(gone);
    now += 299;
    expectAway();
    now += 1;
    expect(breaker.enter().isProbe).toBe(true);
    expect(news).toHaveLength(1);
  });

  it("that is answered closes, and the delays begin anew", () => {
    breaker.heard();
    probe.failed(undefined);
    expect(breaker.isAway).toBe(false);
    call(gone);
    expect(() => breaker.enter()).toThrow(expect.objectContaining({ retryAfterMs: 100 }));
  });

  it.each([refusal, draining, new ServerError("oops", "INTERNAL")])("that is refused (%s) closes", (error) => {
    probe.failed(error);
    expect(breaker.isAway).toBe(false);
  });

  it.each([undefined, new TypeError("x is not a function")])(
    "that finds out nothing (%s) is followed by another at once",
    (error) => {
      probe.failed(error);
      expect(breaker.isAway).toBe(true);
      expect(breaker.enter().isProbe).toBe(true);
    },
  );

  it("counts once, whatever is said of it afterwards", () => {
    probe.failed(undefined);
    const next = breaker.enter();
    probe.failed(gone);
    expect(next.isProbe).toBe(true);
    next.failed(gone);
    now += 200;
    expect(breaker.enter().isProbe).toBe(true);
  });
});
