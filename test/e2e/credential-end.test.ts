/** Streams whose credential counts no more, and clients that move before. */

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LeaseLostError, UnauthenticatedError } from "../../src/client/api/errors.ts";
import { connect } from "../../src/client/index.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { createMemoryLog } from "../server/transport/support/memory-log.ts";
import { AUDIENCE, createSigningKey, ISSUER, sign, startKeyPort } from "../support/identity-provider.ts";
import { FREE_PORTS } from "../support/server.ts";
import { createTlsFolder } from "../support/tls-folder.ts";
import { WORKERS_YAML } from "../support/workers.ts";

const secret = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const [OLD, NEW] = [`bp_ci_${secret(1)}`, `bp_ci_${secret(2)}`];

function configOf(auth: object) {
  const yaml = `${FREE_PORTS}${WORKERS_YAML}limiters: [{ name: db, max_concurrent: 1, ttl: 30s }, { name: other, max_concurrent: 1, ttl: 30s }]\nauth: ${JSON.stringify(auth)}\n`;
  const config = parseConfig(yaml, { path: undefined, overrides: [] });
  if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
  return config;
}

async function start(auth: object): Promise<Server> {
  const server = await startServer({ config: configOf(auth), log: createMemoryLog() });
  onTestFinished(() => server.stopNow());
  return server;
}

const tokens = (...all: string[]) => ({
  tokens: [{ name: "ci", sha256: all.map((token) => digestOf(token).toString("hex")) }],
});

describe.each([true, false])("a holder (sessions: %s)", (sessions) => {
  it("whose token is removed is cut off within a second, and its lease is orphaned", async () => {
    const server = await start(tokens(OLD, NEW));
    const address = `localhost:${server.grpc.port}`;
    await using client = connect(address, { token: OLD, sessions });
    await using operator = connect(address, { token: NEW, sessions: false });
    const lease = await client.acquire("db");
    server.reconfigure(configOf(tokens(NEW)));
    const began = performance.now();
    await vi.waitFor(
      async () => {
        const leases = [];
        for await (const each of operator.limiters.leases()) leases.push(each);
        expect(leases).toMatchObject([{ id: lease.id, state: "orphaned" }]);
      },
      { timeout: 5_000, interval: 20 },
    );
    expect(performance.now() - began).toBeLessThan(1_000);
    await expect(client.tryAcquire("db")).rejects.toBeInstanceOf(UnauthenticatedError);
  });

  it("whose token is replaced moves to the new one, and keeps its lease", async () => {
    const server = await start(tokens(OLD, NEW));
    let current = OLD;
    await using client = connect(`localhost:${server.grpc.port}`, { token: () => current, sessions });
    const lease = await client.acquire("db");
    current = NEW;
    server.reconfigure(configOf(tokens(NEW)));
    // Taken up again under the new token, it is renewed by its stream alone.
    await using operator = connect(`localhost:${server.grpc.port}`, { token: NEW, sessions: false });
    await vi.waitFor(
      async () => {
        const leases = [];
        for await (const each of operator.limiters.leases()) leases.push(each);
        expect(leases).toMatchObject([{ id: lease.id, state: "attached" }]);
      },
      { timeout: 10_000, interval: 50 },
    );
    expect(lease.valid).toBe(true);
    expect(await lease.release()).toBe("released");
  });

  it("whose token is replaced loses a lease with a ttl of 0, as with any stream that ends", async () => {
    const server = await start(tokens(OLD, NEW));
    let current = OLD;
    await using client = connect(`localhost:${server.grpc.port}`, { token: () => current, sessions });
    const lease = await client.acquire("db", { ttl: 0 });
    current = NEW;
    server.reconfigure(configOf(tokens(NEW)));
    await vi.waitFor(() => expect(lease.signal.reason).toBeInstanceOf(LeaseLostError), { timeout: 10_000 });
    // What it has held is free.
    await (await client.acquire("db")).release();
  });

  it("whose token was signed by a key that is withdrawn is cut off, and another holder goes on", async () => {
    const [withdrawn, stays] = [await createSigningKey(), await createSigningKey()];
    const folder = createTlsFolder();
    const write = (...keys: (typeof stays)[]) =>
      folder.write("keys.json", JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    const file = write(withdrawn, stays);
    const server = await start({ jwt: [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { file } }] });
    const address = `localhost:${server.grpc.port}`;
    const first = await sign(withdrawn, { sub: "first" });
    await using away = connect(address, { token: first, sessions });
    await using neighbour = connect(address, { token: await sign(stays, { sub: "second" }), sessions });
    await away.acquire("db");
    const kept = await neighbour.acquire("other");
    write(stays);
    await vi.waitFor(
      async () => {
        const states: Record<string, string> = {};
        for await (const { caller, state } of neighbour.limiters.leases()) states[caller] = state;
        expect(states).toEqual({ "idp:first": "orphaned", "idp:second": "attached" });
      },
      { timeout: 10_000, interval: 50 },
    );
    await expect(away.tryAcquire("db")).rejects.toBeInstanceOf(UnauthenticatedError);
    expect(kept.signal.aborted).toBe(false);
    expect(await kept.release()).toBe("released");
  });

  it("whose signed tokens live for seconds holds for as long as it likes", async () => {
    const key = await createSigningKey();
    const port = await startKeyPort([key.jwk]);
    const server = await start({
      jwt: [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { url: port.url } }],
    });
    const token = vi.fn(() => sign(key, {}, 2));
    await using client = connect(`localhost:${server.grpc.port}`, { token, sessions });
    const lease = await client.acquire("db");
    await vi.waitFor(() => expect(token.mock.calls.length).toBeGreaterThan(3), { timeout: 15_000, interval: 100 });
    expect(lease.valid).toBe(true);
    expect(lease.signal.aborted).toBe(false);
    expect(await lease.release()).toBe("released");
  });
});
