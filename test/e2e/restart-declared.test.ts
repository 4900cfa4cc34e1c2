/** What the file changed of limiters and boards while the server ran is so after a restart, and nothing of before comes back. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { createMemoryLog } from "../server/transport/support/memory-log.ts";
import { giveBack, hold } from "../support/acquire.ts";
import { add, BOARD } from "../support/board.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { limiterOf, statusOf } from "../support/look.ts";
import { FREE_PORTS } from "../support/server.ts";
import { WORKERS_YAML } from "../support/workers.ts";

const { tryAcquire } = AdmissionService.method;

/** Servers of one folder, one after the other. */
function folder() {
  const path = mkdtempSync(join(tmpdir(), "backpressure-declared-"));
  let running: Server | undefined;
  const load = (yaml: string) => {
    const reading = parseConfig(`${FREE_PORTS}${WORKERS_YAML}store: { folder: ${path} }\n${yaml}`, {
      path: undefined,
      overrides: [],
    });
    if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
    return reading;
  };
  onTestFinished(async () => {
    await running?.stopNow();
    rmSync(path, { recursive: true });
  });
  return {
    async start(yaml: string) {
      await running?.stopNow();
      const log = createMemoryLog();
      const server = await startServer({ config: load(yaml), log });
      running = server;
      const client = createGrpcClient(`127.0.0.1:${server.grpc.port}`);
      onTestFinished(() => client[Symbol.asyncDispose]());
      return { client, log, reload: (next: string) => server.reconfigure(load(next)) };
    },
  };
}

const limiter = (keyed: boolean) =>
  `limiters: [{ name: db, rate: 1/h, burst_size: 2, max_concurrent: 5, keyed: ${keyed} }]\n`;

test("a limiter that got keys, or lost them, begins with full buckets, and stays so over restarts", async () => {
  const { start } = folder();
  const take = (key: string) => ({ claims: [{ limiter: "db", key, permits: 0, tokens: 2 }] });
  const first = await start(limiter(true));
  for (const key of ["x", "y"]) {
    expect((await first.client.call(tryAcquire, take(key))).result.case).toBe("granted");
    expect((await first.client.call(tryAcquire, take(key))).result.case).toBe("refused");
  }
  first.reload(limiter(false));
  await expect.poll(async () => (await limiterOf(first.client, "db")).keyed).toBe(false);

  const second = await start(limiter(false));
  expect(await limiterOf(second.client, "db")).toMatchObject({ keyed: false, status: { tokensAvailable: 2 } });
  expect((await second.client.call(tryAcquire, take(""))).result.case).toBe("granted");

  const third = await start(limiter(false));
  // Its own bucket is kept, those of the keys are not.
  expect((await statusOf(third.client, "db")).tokensAvailable).toBeLessThan(1);
  third.reload(limiter(true));
  await expect.poll(async () => (await limiterOf(third.client, "db")).keyed).toBe(true);

  const fourth = await start(limiter(true));
  expect((await statusOf(fourth.client, "db")).keys).toBe(0n);
  for (const key of ["x", "y"]) expect((await fourth.client.call(tryAcquire, take(key))).result.case).toBe("granted");
  expect(fourth.log.at("error")).toEqual([]);
});

test("a change of keyed that was refused is refused after a restart too while a lease is there, then taken up by a reload", async () => {
  const { start } = folder();
  const first = await start(limiter(false));
  await hold(first.client, { claims: [{ limiter: "db" }], requestId: "keyed-is-refused-1" });
  first.reload(limiter(true));
  await expect.poll(() => first.log.at("error").length).toBe(1);

  const second = await start(limiter(true));
  expect(second.log.at("error")[0]?.fields).toEqual({ event: "limiters-refused", limiters: ["db"] });
  expect(await limiterOf(second.client, "db")).toMatchObject({ keyed: false, declared: true, status: { leases: 1n } });
  const back = await hold(second.client, { claims: [{ limiter: "db" }], requestId: "keyed-is-refused-1" });
  await giveBack(second.client, back);
  second.reload(limiter(true));
  await expect.poll(async () => (await limiterOf(second.client, "db")).keyed).toBe(true);

  const third = await start(limiter(true));
  expect(await limiterOf(third.client, "db")).toMatchObject({ keyed: true, status: { leases: 0n } });
});

test("a stage that was renamed has its cards after a restart, whether the file still says renamed_from or not", async () => {
  const { start } = folder();
  const board = (first: string) =>
    `boards: [{ name: ${BOARD}, stages: [{ ${first} }, { name: Doing }, { name: Done }] }]\n`;
  const before = await start(board("name: Todo"));
  await add(before.client, "card-1");
  const stagesOf = async ({ client }: Awaited<ReturnType<typeof start>>) => {
    const { board: shown } = await client.call(BoardService.method.getBoard, { name: BOARD });
    return shown?.stages.map(({ name, status }) => [name, status?.cards]);
  };
  const stages = [
    ["Ideas", 1],
    ["Doing", 0],
    ["Done", 0],
  ];
  before.reload(board("name: Ideas, renamed_from: Todo"));
  await expect.poll(() => stagesOf(before)).toEqual(stages);
  for (const first of ["name: Ideas, renamed_from: Todo", "name: Ideas", "name: Ideas, renamed_from: Todo"]) {
    const after = await start(board(first));
    expect(await stagesOf(after)).toEqual(stages);
    expect(after.log.at("error")).toEqual([]);
  }
});
