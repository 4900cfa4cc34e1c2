/**
 * A web server whose own credential does not count, or that is not allowed what it asks for: that is its developer's mistake, and no overload. Its
 * clients are not told to come again, nor let through.
 */

import { describe, expect, it } from "vitest";
import type { ConnectOptions } from "../../src/client/index.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { connectForTest, type RealServer, startRealServer } from "../client/support/real-server.ts";
import { FREE_PORTS } from "../support/server.ts";
import { KINDS, type Site } from "./support.ts";

const tokenOf = (name: string, byte: number) => `bp_${name}_${Buffer.alloc(32, byte).toString("base64url")}`;
const TOKENS = { web: tokenOf("web", 1), other: tokenOf("other", 2) };
const ACCESS = [
  { who: ["token:web"], may: ["acquire"], limiters: ["db"] },
  { who: ["token:other"], may: ["acquire", "observe"], limiters: ["*"] },
];

/** `counting`: whose tokens count. */
function yamlOf(counting: readonly (keyof typeof TOKENS)[]): string {
  const tokens = counting.map((name) => ({ name, sha256: [digestOf(TOKENS[name]).toString("hex")] }));
  const limiters = ["db", "elsewhere"].map((name) => ({ name, max_concurrent: 1 }));
  const fields = Object.entries({ limiters, auth: { tokens }, access: ACCESS });
  return fields.map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join("");
}

function removeWeb(server: RealServer): void {
  const config = parseConfig(`${FREE_PORTS}${yamlOf(["other"])}`, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  server.reconfigure(config);
}

async function ask({ url }: Site) {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  const { status, headers } = answer;
  return { status, retryAfter: headers.get("retry-after"), reason: headers.get("backpressure-reason") };
}

/** As any other mistake of the developer is answered. */
const FAULT = { status: 500, retryAfter: null, reason: null };

describe.each(KINDS)("%s", (_, start) => {
  const startSite = (server: RealServer, limiter: string, options: ConnectOptions) =>
    start(connectForTest(server.address, options), { limiter, maxWait: 20_000, onUnavailable: "open" }, (response) =>
      response.end("done"),
    );

  it.each<[string, string, ConnectOptions, string]>([
    ["no credential", "db", {}, "UNAUTHENTICATED"],
    ["a token that does not count", "db", { token: tokenOf("web", 3) }, "UNAUTHENTICATED"],
    ["a token that may not acquire there", "elsewhere", { token: TOKENS.web }, "NOT_ALLOWED"],
  ])(
    "with %s answers as for any mistake of its developer, who is told the reason",
    async (_, limiter, options, reason) => {
      const server = await startRealServer(yamlOf(["web", "other"]));
      const site = await startSite(server, limiter, options);
      expect(await ask(site)).toEqual(FAULT);
      expect(site.mistakes).toMatchObject([{ reason, retryable: false }]);
      // Control: the same with a right that it has.
      const right = await startSite(server, "db", { token: TOKENS.web });
      expect(await ask(right)).toMatchObject({ status: 200 });
    },
  );

  it("whose token is removed while a request waits answers that so, too", async () => {
    const server = await startRealServer(yamlOf(["web", "other"]));
    const site = await startSite(server, "db", { token: TOKENS.web });
    const other = connectForTest(server.address, { token: TOKENS.other });
    await using _held = await other.acquire("db");
    const waiting = ask(site);
    await expect.poll(async () => (await other.limiters.get("db")).status.waiters).toBe(1);
    removeWeb(server);
    expect(await waiting).toEqual(FAULT);
    expect(site.mistakes).toMatchObject([{ code: "UNAUTHENTICATED", retryable: false }]);
  });

  it("that asks more often than it may is told to come again, as by a limiter", async () => {
    const server = await startRealServer(`${yamlOf(["web"])}bounds: { max_waiters: 10, max_requests_per_second: 1 }\n`);
    const site = await startSite(server, "db", { token: TOKENS.web, retry: { maxAttempts: 1 } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(site)));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(new Set(refused.map(({ status, reason }) => `${status} ${reason}`))).toEqual(new Set(["429 CALLER_QUOTA"]));
    expect(refused.every(({ retryAfter }) => Number(retryAfter) >= 1)).toBe(true);
  });
});
