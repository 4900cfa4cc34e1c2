import { describe, expect, it, vi } from "vitest";
import { createCredentials } from "../../src/client/rpc/credentials.ts";
import { createFakeClock, type FakeClock } from "./support/fake-clock.ts";

/** A JWT that lives for so many ms from now on. */
function jwt(clock: FakeClock, lifetime: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256" })}.${part({ exp: (clock.now().wall + lifetime) / 1000, n: Math.random() })}.c2ln`;
}

describe("a token", () => {
  it("that says nothing of its end is asked for once", async () => {
    const source = vi.fn(() => "bp_ci_secret");
    const credentials = createCredentials(createFakeClock(), source);
    expect(await credentials.current()).toBe("bp_ci_secret");
    expect(await credentials.current()).toBe("bp_ci_secret");
    expect(source).toHaveBeenCalledTimes(1);
  });

  it("is asked for by one call for all that need it", async () => {
    const source = vi.fn(async () => "abc");
    const credentials = createCredentials(createFakeClock(), source);
    await Promise.all([credentials.current(), credentials.current(), credentials.current()]);
    expect(source).toHaveBeenCalledTimes(1);
  });

  it("with an end is asked for again 60 s before it", async () => {
    const clock = createFakeClock();
    const source = vi.fn(() => jwt(clock, 600_000));
    const credentials = createCredentials(clock, source);
    const first = await credentials.current();
    clock.advance(539_000);
    expect(await credentials.current()).toBe(first);
    clock.advance(2_000);
    expect(await credentials.current()).not.toBe(first);
  });

  it("with a short life is asked for again when half of it is left", async () => {
    const clock = createFakeClock();
    const source = vi.fn(() => jwt(clock, 10_000));
    const credentials = createCredentials(clock, source);
    await credentials.current();
    clock.advance(4_900);
    await credentials.current();
    expect(source).toHaveBeenCalledTimes(1);
    clock.advance(200);
    await credentials.current();
    expect(source).toHaveBeenCalledTimes(2);
  });

  it("goes on while another cannot be had, until its end", async () => {
    const clock = createFakeClock();
    const source = vi.fn(() => jwt(clock, 100_000));
    const credentials = createCredentials(clock, source);
    const first = await credentials.current();
    source.mockImplementation(() => {
      throw new Error("the file is gone");
    });
    clock.advance(99_000);
    expect(await credentials.current()).toBe(first);
    clock.advance(2_000);
    await expect(credentials.current()).rejects.toThrow("the file is gone");
  });

  it("that the server refuses is asked for once more, where there is somebody to ask", async () => {
    const clock = createFakeClock();
    expect(await createCredentials(clock, "same").replace("same")).toBe(false);
    const tokens = ["old", "new"];
    const credentials = createCredentials(clock, () => tokens.shift() ?? "none");
    await credentials.current();
    expect(await credentials.replace("old")).toBe(true);
    // Another call has had it replaced already.
    expect(await credentials.replace("old")).toBe(true);
    expect(await credentials.current()).toBe("new");
  });

  it("that has taken the place of a refused one and is refused, too, is not replaced again, but by the next call that is refused", async () => {
    let count = 0;
    const credentials = createCredentials(createFakeClock(), () => `token${++count}`);
    expect(await credentials.replace(await credentials.current())).toBe(true);
    expect(await credentials.replace("token2")).toBe(false);
    expect(await credentials.replace("token2")).toBe(true);
    // One that has been accepted is replaced like any other.
    credentials.accepted("token3");
    expect(await credentials.replace("token3")).toBe(true);
    expect(count).toBe(4);
  });

  it.each(["", "with space", "line\nbreak", "ü"])(
    "that no header can carry is refused and not shown: %j",
    async (token) => {
      const failure = createCredentials(createFakeClock(), () => token).current();
      await expect(failure).rejects.toThrow(/characters that no token may have; it is not shown/);
    },
  );

  it("that streams rely on is replaced without a call, and they hear of it once", async () => {
    const clock = createFakeClock();
    const credentials = createCredentials(clock, () => jwt(clock, 600_000));
    const token = await credentials.current();
    const moved = vi.fn();
    credentials.onReplaced(token, moved);
    clock.advance(539_000);
    expect(moved).not.toHaveBeenCalled();
    clock.advance(2_000);
    await vi.waitFor(() => expect(moved).toHaveBeenCalledTimes(1));
    clock.advance(600_000);
    expect(moved).toHaveBeenCalledTimes(1);
    expect(clock.pending()).toBe(0);
  });

  it("leaves no timer when no stream relies on it any more", async () => {
    const clock = createFakeClock();
    const credentials = createCredentials(clock, () => jwt(clock, 600_000));
    const callOff = credentials.onReplaced(await credentials.current(), () => {});
    expect(clock.pending()).toBe(1);
    callOff();
    expect(clock.pending()).toBe(0);
  });
});
