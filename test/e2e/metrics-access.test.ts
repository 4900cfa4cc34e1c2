/** Where callers are asked who they are, metrics are for those who may observe everything. */

import { expect, test } from "vitest";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { startTestServer } from "../support/server.ts";

const tokenOf = (name: string, byte: number) => `bp_${name}_${Buffer.alloc(32, byte).toString("base64url")}`;
const PROMETHEUS = tokenOf("prometheus", 1);
const WORKER = tokenOf("worker", 2);

function yamlOf(access: readonly object[] | undefined): string {
  const tokens = [
    { name: "prometheus", sha256: [digestOf(PROMETHEUS).toString("hex")] },
    { name: "worker", sha256: [digestOf(WORKER).toString("hex")] },
  ];
  const fields = { limiters: [{ name: "db", max_concurrent: 1 }], auth: { tokens }, ...(access && { access }) };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join("");
}

async function statusOf(url: string, token?: string): Promise<number> {
  const headers = new Headers(token === undefined ? [] : [["authorization", `Bearer ${token}`]]);
  const response = await fetch(`${url}/metrics`, { headers });
  await response.arrayBuffer();
  return response.status;
}

test("without a credential that counts they are not shown", async () => {
  await using server = await startTestServer(yamlOf(undefined));
  expect(await statusOf(server.url)).toBe(401);
  expect(await statusOf(server.url, tokenOf("prometheus", 3))).toBe(401);
  expect(await statusOf(server.url, WORKER)).toBe(200);
});

test("with an access list they are shown to those who may observe all limiters and boards", async () => {
  await using server = await startTestServer(
    yamlOf([
      { who: ["token:prometheus"], may: ["observe"], limiters: ["*"], boards: ["*"] },
      { who: ["token:worker"], may: ["acquire", "observe"], limiters: ["*"] },
    ]),
  );
  expect(await statusOf(server.url, PROMETHEUS)).toBe(200);
  expect(await statusOf(server.url, WORKER)).toBe(403);
});
