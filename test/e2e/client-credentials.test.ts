/** What a client makes of a server that does not know it, or does not allow what it asks. */

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { PermissionDeniedError, UnauthenticatedError } from "../../src/client/api/errors.ts";
import { type Client, connect } from "../../src/client/index.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const secret = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const GOOD = `bp_ci_${secret(1)}`;
let wrongs = 1;
/** Another each time, as of a source whose signed tokens are of the wrong audience. */
const wrong = () => `bp_ci_${secret(++wrongs)}`;

async function start(): Promise<TestServer> {
  const server = await startTestServer(
    Object.entries({
      limiters: ["db", "other"].map((name) => ({ name, max_concurrent: 10 })),
      auth: { tokens: [{ name: "ci", sha256: [digestOf(GOOD).toString("hex")] }] },
      access: [{ who: ["token:ci"], may: ["acquire"], limiters: ["db"] }],
    })
      .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
      .join(""),
  );
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** Ways to ask for a lease, each of which comes to nothing but an error here. */
const ASKS: Readonly<Record<string, (client: Client, limiter: string) => Promise<unknown>>> = {
  tryAcquire: (client, limiter) => client.tryAcquire(limiter),
  acquire: (client, limiter) => client.acquire(limiter),
  withLease: (client, limiter) => client.withLease(limiter, async () => "worked"),
};
const CASES = Object.keys(ASKS).flatMap((ask) => [true, false].map((sessions) => ({ ask, sessions })));

describe.each(CASES)("$ask (sessions: $sessions)", ({ ask, sessions }) => {
  const askFor = (client: Client, limiter: string) => ASKS[ask]?.(client, limiter);

  it("asks for a token once more where the first does not count, and goes on with it", async () => {
    const server = await start();
    const token = vi.fn(() => (token.mock.calls.length === 1 ? wrong() : GOOD));
    await using client = connect(server.address, { token, sessions });
    await expect(askFor(client, "db")).resolves.toBeDefined();
    expect(token).toHaveBeenCalledTimes(2);
  });

  it("rejects with an UnauthenticatedError that says what to do where the second counts no more than the first", async () => {
    const server = await start();
    const token = vi.fn(wrong);
    await using client = connect(server.address, { token, sessions });
    const error = await askFor(client, "db")?.then(String, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnauthenticatedError);
    expect(error).toMatchObject({
      reason: "UNAUTHENTICATED",
      retryable: false,
      message: expect.stringMatching(/show a token or a client certificate that counts/),
    });
    expect(token).toHaveBeenCalledTimes(2);
  });

  it("is not taken for an outage: a client that goes on without the server lets nothing through", async () => {
    const server = await start();
    await using client = connect(server.address, { token: wrong, sessions, onUnavailable: "open" });
    await expect(askFor(client, "db")).rejects.toBeInstanceOf(UnauthenticatedError);
  });

  it("asks nothing again where there is no token", async () => {
    const server = await start();
    await using client = connect(server.address, { sessions });
    await expect(askFor(client, "db")).rejects.toBeInstanceOf(UnauthenticatedError);
  });

  it("rejects at once with a PermissionDeniedError for what the caller may not do", async () => {
    const server = await start();
    const token = vi.fn(() => GOOD);
    await using client = connect(server.address, { token, sessions });
    const error = await askFor(client, "other")?.then(String, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PermissionDeniedError);
    expect(error).toMatchObject({
      reason: "NOT_ALLOWED",
      retryable: false,
      message: expect.stringMatching(/other/),
    });
    expect(token).toHaveBeenCalledTimes(1);
    // What it may do it does, on the same connection.
    await expect(askFor(client, "db")).resolves.toBeDefined();
  });
});
