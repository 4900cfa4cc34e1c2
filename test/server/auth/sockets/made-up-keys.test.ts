/** Tokens whose keys nobody has: they cost the issuer no questions, and the server no memory. */

import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { createAuthenticator } from "../../../../src/server/auth/create-authenticator.ts";
import { createFailedAttempts, createFailureMemory } from "../../../../src/server/auth/failed-attempts.ts";
import { createSystemClock } from "../../../../src/server/clock.ts";
import { parseConfig } from "../../../../src/server/config/config.ts";
import { createLog } from "../../../../src/server/log.ts";
import { AUDIENCE, createSigningKey, ISSUER, sign, startKeyPort } from "../../../support/identity-provider.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const ROUNDS = 5;
const TOKENS = 2_000;
/** Bytes: anything that is kept of a token takes more. */
const A_TOKEN = 64;
/** Of an address: one that shows more wrong ones is not listened to. */
const OF_ONE_ADDRESS = 10;

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

function madeUp(): string {
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: "billing", exp: Math.floor(Date.now() / 1000) + 600 };
  const kid = randomBytes(12).toString("base64url");
  return `${part({ alg: "ES256", kid })}.${part(claims)}.${randomBytes(64).toString("base64url")}`;
}

/** The least that the heap has grown by in a round: what is made once, such as compiled code, comes in one or another. */
async function growthOf(show: (token: string, n: number) => Promise<void>): Promise<number> {
  const growths: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < TOKENS; n++) await show(madeUp(), round * TOKENS + n);
    collect();
    growths.push(process.memoryUsage().heapUsed - before);
  }
  return Math.min(...growths);
}

test("10,000 tokens with made-up keys have the issuer asked once at most, and nothing is kept of them", async () => {
  const key = await createSigningKey();
  const port = await startKeyPort([key.jwk]);
  const auth = { jwt: [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { url: port.url } }] };
  const config = parseConfig(`auth: ${JSON.stringify(auth)}\n`, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  const clock = createSystemClock();
  const authenticator = createAuthenticator({
    secretKey: Buffer.alloc(32),
    settings: { auth: config.settings.auth, allowAnonymous: false, certificates: false },
    failures: createFailedAttempts(createFailureMemory(), clock.now),
    clock,
    log: createLog("silent"),
  });
  onTestFinished(() => authenticator.close());
  const nameOf = async (token: string, address: string) => {
    const caller = await authenticator.identify({ remoteAddress: address } as Socket, {
      authorization: `Bearer ${token}`,
    });
    return caller?.name;
  };
  expect(await nameOf(await sign(key), "192.0.2.1")).toBe("idp:billing");
  const before = port.asked;
  const growth = await growthOf(async (token, n) => {
    const address = Math.floor(n / OF_ONE_ADDRESS);
    expect(await nameOf(token, `10.0.${address >> 8}.${address & 255}`)).toBeUndefined();
  });
  expect(growth).toBeLessThan(TOKENS * A_TOKEN);
  // One by the clock, should the machine be that slow.
  expect(port.asked - before).toBeLessThanOrEqual(1);
  expect(await nameOf(await sign(key, { sub: "later" }), "192.0.2.1")).toBe("idp:later");
});

test("control: what is kept of each token is seen", async () => {
  const kept = new Set<string>();
  expect(await growthOf(async (token) => void kept.add(token))).toBeGreaterThan(TOKENS * A_TOKEN);
  expect(kept.size).toBe(ROUNDS * TOKENS);
});
