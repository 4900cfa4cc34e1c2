import { EventEmitter } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { describe, expect, it } from "vitest";
import { keepAlive } from "../../src/client/transport/keep-alive.ts";
import { settle } from "./support/client-fixture.ts";
import { createFakeClock } from "./support/fake-clock.ts";

const INTERVAL = 1_000;
const TIMEOUT = 300;

/** A session that answers a ping when the test says so, and a call that is open. */
function setUp({ canReset = true } = {}) {
  const clock = createFakeClock();
  const pings: ((error: Error | null) => void)[] = [];
  const ends: string[] = [];
  const refs: string[] = [];
  const state = { busy: true };
  const session = Object.assign(new EventEmitter(), {
    destroyed: false,
    closed: false,
    ref: () => refs.push("ref"),
    ping: (answer: (error: Error | null) => void) => pings.push(answer),
    destroy: () => ends.push("destroyed"),
    socket: {
      resetAndDestroy() {
        if (!canReset) throw new Error("over TLS");
        ends.push("reset");
      },
    },
  });
  const options = { clock, interval: INTERVAL, timeout: TIMEOUT, isBusy: () => state.busy };
  const alive = keepAlive(session as unknown as ClientHttp2Session, options);
  return { clock, pings, ends, refs, state, session, ...alive };
}

describe("a connection with open calls", () => {
  it("is pinged at each interval for as long as it answers", () => {
    const { clock, pings, ends, wake } = setUp();
    wake();
    wake();
    for (let answered = 0; answered < 5; answered += 1) {
      clock.advance(INTERVAL);
      expect(pings).toHaveLength(answered + 1);
      pings.at(-1)?.(null);
    }
    expect(ends).toEqual([]);
  });

  it("is reset, and not closed, when it does not answer", () => {
    const { clock, ends, wake } = setUp();
    wake();
    clock.advance(INTERVAL + TIMEOUT - 1);
    expect(ends).toEqual([]);
    clock.advance(2);
    expect(ends).toEqual(["reset"]);
  });

  it("is closed where it cannot be reset", () => {
    const { clock, ends, wake } = setUp({ canReset: false });
    wake();
    clock.advance(INTERVAL + TIMEOUT + 1);
    expect(ends).toEqual(["destroyed"]);
  });

  it("is kept when the answer is read in the turn in which it fell due, since the process was stopped", () => {
    const { clock, pings, ends, wake } = setUp();
    wake();
    clock.advance(INTERVAL);
    // Read when it goes on, after the timers that fell due meanwhile.
    clock.schedule(10 * TIMEOUT, () => pings[0]?.(null));
    clock.freeze(10 * TIMEOUT);
    clock.advance(INTERVAL / 2);
    expect(ends).toEqual([]);
  });

  it("is left alone when it has no calls any more, and pinged again with the next", () => {
    const { clock, pings, state, wake } = setUp();
    wake();
    state.busy = false;
    clock.advance(5 * INTERVAL);
    expect([pings.length, clock.pending()]).toEqual([0, 0]);
    state.busy = true;
    wake();
    clock.advance(INTERVAL);
    expect(pings).toHaveLength(1);
  });

  it("leaves no timer when it is closed", () => {
    const { clock, session, wake } = setUp();
    wake();
    session.emit("close");
    expect(clock.pending()).toBe(0);
  });
});

describe("a connection that is about to be used", () => {
  it("is not pinged when it was heard of within an interval", async () => {
    const { clock, pings, check, heard } = setUp();
    clock.advance(INTERVAL);
    await check();
    heard();
    clock.advance(INTERVAL);
    await check();
    expect(pings).toEqual([]);
  });

  it("is pinged after a silence, once for all calls, which wait and keep the process; then at intervals", async () => {
    const { clock, pings, ends, refs, check } = setUp();
    clock.advance(INTERVAL + 1);
    const order: string[] = [];
    const checks = [check(), check()].map((checked) => checked.then(() => order.push("checked")));
    await settle();
    expect([pings.length, order]).toEqual([1, []]);
    expect(refs).toContain("ref");
    order.push("answered");
    pings[0]?.(null);
    await Promise.all(checks);
    expect(order).toEqual(["answered", "checked", "checked"]);
    await check();
    clock.advance(INTERVAL);
    expect([pings.length, ends]).toEqual([2, []]);
  });

  it("is reset when it does not answer, and the calls go on as soon as it is given up", async () => {
    const { clock, pings, ends, session, check } = setUp();
    clock.advance(INTERVAL + 1);
    const checked = check();
    clock.advance(TIMEOUT + 1);
    expect(ends).toEqual(["reset"]);
    pings[0]?.(new Error("given up"));
    await checked;
    session.destroyed = true;
    await check();
    expect(pings).toHaveLength(1);
  });
});
