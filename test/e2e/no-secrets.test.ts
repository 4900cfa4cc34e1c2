/** No secret that a server was given stands in what it writes. */

import { inspect } from "node:util";
import { expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { Redacted } from "../../src/server/redacted.ts";
import { createGrpcClient as createRawClient, failureOf } from "../server/transport/support/grpc-client.ts";
import { createAuthority } from "../support/certificates.ts";
import { startTlsServer } from "./support/tls-server.ts";

it("a secret that is redacted shows itself nowhere", () => {
  const secret = new Redacted("hush");
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect({ a: { secret } }, { depth: 9, showHidden: true }),
  ];
  for (const text of shown) expect(text).not.toContain("hush");
  expect(Object.keys(secret)).toEqual([]);
  expect(secret.reveal()).toBe("hush");
});

it("keys and tokens are in no line of the log", async () => {
  const authority = await createAuthority();
  const leaf = await authority.issue();
  const token = `bp_ci_${Buffer.alloc(32, 5).toString("base64url")}`;
  const auth = { tokens: [{ name: "ci", sha256: [digestOf(token).toString("hex")] }] };
  const yaml = `limiters: [{ name: db, max_concurrent: 1 }]\nlogging: { level: debug }\nauth: ${JSON.stringify(auth)}\n`;
  const { server, log, folder, caFile } = await startTlsServer(yaml, { leaf, authority });
  await using client = connect(`https://localhost:${server.grpc.port}`, { tls: { caFile }, token, sessions: false });
  const lease = await client.acquire("db");
  await lease.release();
  const raw = createRawClient(`localhost:${server.grpc.port}`);
  await failureOf(raw.tryAcquire({ claims: [{ limiter: "db" }] }, { deadline: Date.now() + 1_000 }));
  folder.write("server.key", "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n");
  server.reloadTls();
  await expect.poll(() => log.at("error").length).toBeGreaterThan(0);
  const written = inspect(log.lines, { depth: 12, maxStringLength: 10_000, maxArrayLength: 10_000 });
  const key = leaf.key.split("\n")[1] as string;
  for (const secret of [token, token.slice(-43), key, "bm90IGEga2V5"]) expect(written).not.toContain(secret);
});
