import { describe, expect, it } from "vitest";
import { createValidity } from "../../src/client/hold/validity.ts";
import { createFakeClock } from "./support/fake-clock.ts";

function setup(validFor: number) {
  const clock = createFakeClock();
  let ranOut = 0;
  const validity = createValidity(clock, { sentAt: clock.now(), validFor }, () => {
    ranOut += 1;
  });
  return { clock, validity, ranOut: () => ranOut };
}

describe("validity", () => {
  it("runs out when its span has passed, and not before", () => {
    const { clock, ranOut } = setup(3000);
    clock.advance(2999);
    expect(ranOut()).toBe(0);
    clock.advance(1);
    expect(ranOut()).toBe(1);
  });

  it("is counted from the moment when the confirmed request was sent, not from the answer", () => {
    const { clock, validity, ranOut } = setup(3000);
    const sentAt = clock.now();
    clock.advance(2000);
    validity.confirm({ sentAt, validFor: 4000 });
    expect(validity.remaining()).toBe(2000);
    clock.advance(2000);
    expect(ranOut()).toBe(1);
  });

  it("is not shortened by a confirmation that lasts less long", () => {
    const { clock, validity } = setup(3000);
    clock.advance(500);
    validity.confirm({ sentAt: clock.now(), validFor: 1000 });
    expect(validity.remaining()).toBe(2500);
  });

  it("counts what the wall clock saw of a sleep that the monotonic clock slept through", () => {
    const { clock, validity, ranOut } = setup(3000);
    clock.suspend(5000);
    expect(validity.remaining()).toBe(-2000);
    clock.advance(3000);
    expect(ranOut()).toBe(1);
  });

  it("counts what the monotonic clock saw while the wall clock was set back", () => {
    const { clock, validity } = setup(3000);
    clock.setWall(-60_000);
    clock.advance(2000);
    expect(validity.remaining()).toBe(1000);
  });

  it("is found out by a read, even where no timer has fired", () => {
    const { clock, validity, ranOut } = setup(3000);
    clock.freeze(3000);
    expect(validity.remaining()).toBe(0);
    expect(ranOut()).toBe(0);
  });

  it("leaves no timer once it is stopped", () => {
    const { clock, validity, ranOut } = setup(3000);
    validity.stop();
    expect(clock.pending()).toBe(0);
    clock.advance(5000);
    expect(ranOut()).toBe(0);
  });
});
