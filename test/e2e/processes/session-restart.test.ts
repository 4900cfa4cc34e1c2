/** Sessions across a restart of the server: one resume finds all that was held, and waiters keep their places. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { startServerProcess } from "../../support/server-process.ts";
import { acquireOf, leaseOf, openSession, releaseOf, tryAcquireOf } from "../support/session.ts";

const CONFIG = `limiters: [{ name: db, max_concurrent: 2, ttl: 20s }]
boards:
  - name: b
    ttl: 20s
    stages: [{ name: todo, kind: QUEUE }, { name: doing, kind: WORK, wip_limit: 2 }, { name: done, kind: QUEUE }]
drain: { timeout: 1s }
`;
const REQUEST_ID = "0123456789abcdef";
const OTHER_ID = "fedcba9876543210";

it.each(["SIGKILL", "SIGTERM"] as const)("finds all leases, places and cards of a session after %s", async (signal) => {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-session-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const yaml = `${CONFIG}store: { folder: ${JSON.stringify(join(folder, "data"))} }\n`;
  const first = await startServerProcess(yaml);
  const client = createGrpcClient(first.address);
  await client.call(BoardService.method.addCard, { board: "b", card: { id: "one" } });
  const session = openSession(first.address);
  const { credential } = await session.open();
  const leases = [leaseOf(await session.ask(acquireOf("db"))), leaseOf(await session.ask(tryAcquireOf("db")))];
  await session.ask({ case: "pull", value: { board: "b", stage: "doing", worker: "w" } });
  const other = openSession(first.address);
  const others = await other.open();
  await session.waits(acquireOf("db", { requestId: REQUEST_ID }));
  await other.waits(acquireOf("db", { requestId: OTHER_ID }));
  first.signal(signal);
  await first.exited;
  await Promise.all([session.ended, other.ended, client[Symbol.asyncDispose](), first[Symbol.asyncDispose]()]);

  await using second = await startServerProcess(yaml);
  const again = openSession(second.address);
  const opened = await again.open({ resume: credential, keepOnCancel: true });
  expect([opened.resumed, opened.leaseIds, opened.cards.map(({ cardId }) => cardId)]).toEqual([true, leases, ["one"]]);
  // The one behind comes back first, and is behind all the same.
  const otherAgain = openSession(second.address);
  expect(await otherAgain.open({ resume: others.credential })).toMatchObject({ resumed: true, leaseIds: [] });
  const behind = await otherAgain.waits(acquireOf("db", { requestId: OTHER_ID }));
  const before = await again.waits(acquireOf("db", { requestId: REQUEST_ID }));
  await again.ask(releaseOf(leases[1] as string));
  leaseOf((await again.lastAnswer(before)).answer);
  await again.ask(releaseOf(leases[0] as string));
  leaseOf((await otherAgain.lastAnswer(behind)).answer);
  for (const each of [again, otherAgain]) each.lose();
});
