/** The keys of an issuer over time: how often it is asked, and what counts while it cannot be. */

import { errors, type JSONWebKeySet } from "jose";
import { describe, expect, it } from "vitest";
import { createKeyKeeper, type KeyKeeper } from "../../../src/server/auth/jwt/key-keeper.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createSigningKey, type SigningKey } from "../../support/identity-provider.ts";
import { createMemoryLog } from "../transport/support/memory-log.ts";

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;
const [KEY, NEXT] = [await createSigningKey(), await createSigningKey()];

async function setup(first: readonly SigningKey[] = [KEY]) {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const issuer = { keys: first, isDown: false, asked: 0, changes: 0 };
  const load = async (): Promise<JSONWebKeySet> => {
    issuer.asked += 1;
    if (issuer.isDown) throw new Error("it is down");
    return { keys: issuer.keys.map(({ jwk }) => jwk) as JSONWebKeySet["keys"] };
  };
  const onChange = () => {
    issuer.changes += 1;
  };
  const keeper = createKeyKeeper({ name: "idp", load, onChange, clock, log });
  await keeper.refresh();
  const events = () => log.lines.map(({ fields }) => fields.event);
  return { clock, issuer, keeper, events };
}

async function find(keeper: KeyKeeper, kid: string): Promise<string> {
  try {
    await keeper.keyOf({ alg: "ES256", kid }, {} as never);
    return "found";
  } catch (error) {
    return error instanceof errors.JWKSNoMatchingKey ? "unknown" : `${error}`;
  }
}

describe("the keys of an issuer", () => {
  it("are looked for once in 30 s, whatever ids 10,000 tokens make up", async () => {
    const { clock, issuer, keeper } = await setup();
    const before = issuer.asked;
    const makeUp = (count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => find(keeper, `made up ${i}`)));
    expect(new Set(await makeUp(5_000))).toEqual(new Set(["unknown"]));
    expect(issuer.asked - before).toBe(0);
    clock.advance(30 * SECOND);
    expect(new Set(await makeUp(10_000))).toEqual(new Set(["unknown"]));
    expect(issuer.asked - before).toBe(1);
    clock.advance(30 * SECOND - 1);
    const regular = issuer.asked;
    await makeUp(10_000);
    expect(issuer.asked).toBe(regular);
    expect(await find(keeper, KEY.kid)).toBe("found");
  });

  it("of a token that comes before them are waited for", async () => {
    const { keeper, issuer } = await setup([]);
    issuer.keys = [KEY];
    const waiting = keeper.refresh();
    expect(await find(keeper, KEY.kid)).toBe("found");
    await waiting;
  });

  it("that are new are found with the first token of theirs, once 30 s have passed", async () => {
    const { clock, issuer, keeper } = await setup();
    issuer.keys = [KEY, NEXT];
    clock.advance(30 * SECOND);
    expect(await find(keeper, NEXT.kid)).toBe("found");
  });

  it("that are withdrawn count for a minute at most", async () => {
    const { clock, issuer, keeper } = await setup([KEY, NEXT]);
    const known = [KEY, NEXT].map(({ kid }) => keeper.knownOf(kid));
    const all = keeper.knownOf(undefined);
    issuer.keys = [NEXT];
    clock.advance(55 * SECOND);
    await keeper.refresh();
    expect([await find(keeper, KEY.kid), await find(keeper, NEXT.kid)]).toEqual(["unknown", "found"]);
    expect(issuer.changes).toBe(1);
    expect([KEY, NEXT].map(({ kid }, i) => keeper.knownOf(kid) === known[i])).toEqual([false, true]);
    expect(keeper.knownOf(undefined)).not.toBe(all);
  });

  it("count for a day while the issuer is down, no longer, and again once it is back", async () => {
    const { clock, issuer, keeper, events } = await setup();
    const before = keeper.read();
    expect(before).toMatchObject({ issuer: "idp", lastLoadTaken: true });
    issuer.isDown = true;
    for (let hour = 0; hour < 24; hour++) {
      clock.advance(HOUR - SECOND);
      await keeper.refresh();
      expect([await find(keeper, KEY.kid), await find(keeper, NEXT.kid)]).toEqual(["found", "unknown"]);
    }
    clock.advance(25 * SECOND);
    await keeper.refresh();
    expect(await find(keeper, KEY.kid)).toBe("unknown");
    expect(keeper.read()).toEqual({ ...before, lastLoadTaken: false });
    expect(events()).toEqual(["keys-missing"]);
    issuer.isDown = false;
    clock.advance(30 * SECOND);
    expect(await find(keeper, KEY.kid)).toBe("found");
    expect(events()).toEqual(["keys-missing", "keys-there-again"]);
    // The control: had it not been down, they would count on.
    clock.advance(25 * HOUR);
    await keeper.refresh();
    expect(await find(keeper, KEY.kid)).toBe("found");
  });

  it("are refused, all of them, where the issuer says that it has none, which the log says once", async () => {
    const { clock, issuer, keeper, events } = await setup();
    issuer.keys = [];
    for (let look = 0; look < 3; look++) {
      clock.advance(50 * SECOND);
      await keeper.refresh();
    }
    expect(await find(keeper, KEY.kid)).toBe("unknown");
    expect(events()).toEqual(["keys-none", "keys-taken-up"]);
  });

  it("are asked for no more once the keeper is closed", async () => {
    const { clock, issuer, keeper } = await setup();
    keeper.close();
    const before = issuer.asked;
    clock.advance(HOUR);
    expect(issuer.asked).toBe(before);
    expect(clock.scheduled).toBe(0);
  });
});
