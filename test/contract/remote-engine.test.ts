/** A link that is cut: the engine beyond it takes its streams for lost connections, and the next link finds what they held. */

import { afterAll, expect, test } from "vitest";
import { queue, work } from "../server/machine/board/boards.ts";
import { startEngineThread } from "./engines/remote.ts";
import { claimOn, createScript, SECOND } from "./script.ts";

const thread = startEngineThread();
afterAll(() => thread[Symbol.asyncDispose]());

test("leases and places of a lost link wait for their ttl, and are taken up again over the next", async () => {
  const first = await thread.stage();
  const before = createScript(first);
  await before.create({ maxConcurrent: 2, ttl: 2 * SECOND });
  for (const id of ["a", "b"]) await before.acquire(id);
  await before.acquire("c", [claimOn()], { requestId: "0123456789abcdef" });
  before.fresh();
  await first.lose();
  expect(before.fresh().sort()).toEqual(["a", "b", "c"].map((id) => `stream of ${id}: unavailable, decided: unknown`));

  await using second = first.linkAnew();
  const after = createScript(second);
  await after.calm();
  const { items } = await after.engine.leases({ limiter: "", key: "", after: "", limit: 10 });
  expect(items).toMatchObject([
    { id: "a", attachment: "orphaned" },
    { id: "b", attachment: "orphaned" },
  ]);
  expect(await after.resume("a")).toMatchObject({ kind: "granted", resumed: true });
  expect(await after.acquire("d", [claimOn()], { requestId: "0123456789abcdef" })).toMatchObject({ waiterId: "c" });
  after.fresh();
  await after.pass(2 * SECOND);
  expect(after.fresh()).toEqual(["c: granted"]);
  expect(await after.held()).toEqual(["a", "c"]);
});

test("a session of a lost link is away, and is taken up again over the next with all that it held", async () => {
  const first = await thread.stage();
  const before = createScript(first);
  await before.create({ maxConcurrent: 2, ttl: 2 * SECOND });
  const session = await before.openSession("s");
  for (const id of ["a", "b"]) await before.acquire(id, [claimOn()], session);
  await before.acquire("c", [claimOn()], { ...session, requestId: "0123456789abcdef" });
  await first.lose();

  await using second = first.linkAnew();
  const after = createScript(second);
  await after.calm();
  const { items } = await after.engine.leases({ limiter: "", key: "", after: "", limit: 10 });
  expect(items.map(({ attachment }) => attachment)).toEqual(["orphaned", "orphaned"]);
  const { session: again, answer } = await after.resumeSession("s");
  expect(answer).toMatchObject({ leaseIds: ["a", "b"] });
  const asked = { ...again, requestId: "0123456789abcdef" };
  expect(await after.acquire("d", [claimOn()], asked)).toMatchObject({ waiterId: "c" });
  await after.pass(3 * SECOND);
  expect(await after.held()).toEqual(["a", "b"]);
});

test("work of a lost link waits for its ttl, and is taken up again over the next", async () => {
  const first = await thread.stage();
  const before = createScript(first);
  await before.createBoard({ stages: [queue("todo"), work("doing", 1), queue("done")] });
  await before.add("one");
  await before.pull("p", "doing", { ttl: 2 * SECOND });
  const token = await before.tokenOf("one");
  await first.lose();

  await using second = first.linkAnew();
  const after = createScript(second);
  expect(await after.renewWork("one", token)).toMatchObject({ kind: "card", card: { attempt: 1, work: { token } } });
  await after.pass(2 * SECOND);
  expect(await after.boards.card("b", "one")).toMatchObject({ state: "waiting" });
});
