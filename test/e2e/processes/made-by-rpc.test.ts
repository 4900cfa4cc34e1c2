/** How many limiters and boards may be made by RPC, beside those of the file. */

import { expect, test } from "vitest";
import { AdmissionError, connect } from "../../../src/client/index.ts";
import { startServerProcess } from "../../support/server-process.ts";

const fileOf = (limits: string) => `
limits: { ${limits} }
limiters: [{ name: declared, max_concurrent: 1 }, { name: other, max_concurrent: 1 }, { name: third, max_concurrent: 1 }]
boards: [{ name: declared }, { name: other }]
`;

const BOUND = "max_limiters: 2, max_boards: 1";

async function refusalOf(call: Promise<unknown>): Promise<AdmissionError> {
  const thrown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(AdmissionError);
  return thrown as AdmissionError;
}

test("limiters beyond the bound are refused with both numbers; the file's are not counted, and a deletion makes room", async () => {
  await using server = await startServerProcess(fileOf(BOUND));
  await using client = connect(server.address);
  const create = (name: string) => client.limiters.create({ name, maxConcurrent: 1 });
  for (const name of ["a", "b"]) await create(name);
  const refused = await refusalOf(create("c"));
  expect(refused).toMatchObject({ reason: "TOO_MANY_LIMITERS", limiter: "c", retryable: true });
  expect(refused.message).toContain("2 exist that the server's file does not declare");
  expect(refused.message).toContain("max_limiters is 2");
  // The same again is no other.
  await create("a");
  await client.limiters.delete("a");
  await create("c");
  expect(await refusalOf(create("a"))).toMatchObject({ reason: "TOO_MANY_LIMITERS" });
});

test("one that drains counts until it is gone", async () => {
  await using server = await startServerProcess(fileOf(BOUND));
  await using client = connect(server.address);
  for (const name of ["a", "b"]) await client.limiters.create({ name, maxConcurrent: 1 });
  const lease = await client.acquire("a");
  await client.limiters.delete("a");
  expect(await refusalOf(client.limiters.create({ name: "c", maxConcurrent: 1 }))).toMatchObject({
    reason: "TOO_MANY_LIMITERS",
  });
  await lease.release();
  await client.limiters.create({ name: "c", maxConcurrent: 1 });
});

test("boards likewise, and the file changes both bounds at once; what is there stays", async () => {
  await using server = await startServerProcess(fileOf(BOUND));
  await using client = connect(server.address);
  await client.boards.create({ name: "a" });
  const refused = await refusalOf(client.boards.create({ name: "b" }));
  expect(refused).toMatchObject({ reason: "TOO_MANY_BOARDS", retryable: true });
  expect(refused.message).toContain("max_boards is 1");

  server.configure(fileOf("max_limiters: 1, max_boards: 2"));
  await server.logged(/boards declared/);
  await server.logged(/boards declared/);
  await client.boards.create({ name: "b" });
  await client.limiters.create({ name: "a", maxConcurrent: 1 });
  expect(await refusalOf(client.limiters.create({ name: "b", maxConcurrent: 1 }))).toMatchObject({
    reason: "TOO_MANY_LIMITERS",
  });

  server.configure(fileOf("max_limiters: 0, max_boards: 0"));
  await server.logged(/boards declared/);
  expect((await client.limiters.get("a")).maxConcurrent).toBe(1);
  expect((await client.boards.get("b")).name).toBe("b");
  expect(await refusalOf(client.boards.create({ name: "c" }))).toMatchObject({ reason: "TOO_MANY_BOARDS" });
});
