/** Taking up a changed configuration while people hold and wait. */

import { expect, test } from "vitest";
import { LimiterState } from "../../../src/client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { ConfigService } from "../../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { acquire, giveBack, hold, queue } from "../../support/acquire.ts";
import { Code, failureOf } from "../../support/call-failure.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { limiterOf } from "../../support/look.ts";
import { startServerProcess } from "../../support/server-process.ts";

const { createLimiter, deleteLimiter, listLimiters, updateLimiter, watchLimiters } = LimiterService.method;

const { getConfig } = ConfigService.method;

const TAKEN_UP = /has changed and is taken up/;

test("a changed file is taken up by itself: limits change under waiters, and what is gone drains", async () => {
  await using server = await startServerProcess(
    "limiters: [{ name: db, max_concurrent: 1 }, { name: old, max_concurrent: 1 }]",
  );
  await using client = createGrpcClient(server.address);
  await client.call(createLimiter, { limiter: { name: "by-rpc", maxConcurrent: 1 } });
  await hold(client, "db");
  const waiter = await queue(client, "db");
  const holder = await hold(client, "old");
  const hopeless = await queue(client, "old");

  server.configure("limiters: [{ name: db, max_concurrent: 2 }, { name: new, max_rps: 5 }]");
  await waiter.next("granted");
  expect(await server.logged(TAKEN_UP)).toMatchObject({ limiters: 2 });
  expect(await hopeless.ending).toMatchObject({ code: Code.NotFound, reason: "LIMITER_NOT_FOUND" });
  expect(await limiterOf(client, "old")).toMatchObject({ state: LimiterState.DELETING, declared: false });
  await giveBack(client, holder);
  const { limiters } = await client.call(listLimiters, {});
  expect(limiters.map(({ name, declared }) => [name, declared])).toEqual([
    ["by-rpc", false],
    ["db", true],
    ["new", true],
  ]);
});

test("SIGHUP has the file read at once, and says what it thinks of it", async () => {
  const yaml = "limiters: [{ name: db, max_concurrent: 1 }]";
  await using server = await startServerProcess(yaml);
  server.signal("SIGHUP");
  await server.logged(/says what is in force already/);
  server.configure("limiters: [{ name: db, max_concurrent: 3 }]\nliveness: { heartbeat: 1s }");
  server.signal("SIGHUP");
  expect(await server.logged(/need a restart to take effect/)).toMatchObject({ fields: ["liveness.heartbeat"] });
  await using client = createGrpcClient(server.address);
  expect(await limiterOf(client, "db")).toMatchObject({ maxConcurrent: 3 });
});

test("a file that is refused says so to whoever asks, with what is wrong in which line, until one is in force", async () => {
  const yaml = "limiters: [{ name: db, max_concurrent: 1 }]";
  await using server = await startServerProcess(yaml);
  await using client = createGrpcClient(server.address);
  const status = async () => (await client.call(getConfig, {})).status;
  const many = Array.from({ length: 30 }, (_, index) => `  - { name: l${index}, max_rps: fast }\n`).join("");
  server.configure(`limiters:\n${many}`);
  await expect
    .poll(status, { timeout: 10_000 })
    .toMatchObject({ fileProblemCount: 30, fileRefuseTime: expect.anything() });
  const problems = (await status())?.fileProblems ?? [];
  expect(problems).toHaveLength(20);
  expect(problems[0]).toMatch(/backpressure\.yaml:3:\d+: limiters\[0\]\.max_rps: /);
  server.configure(yaml);
  await expect.poll(status, { timeout: 10_000 }).toMatchObject({ fileProblems: [], fileProblemCount: 0 });
  expect((await status())?.fileRefuseTime).toBeUndefined();
});

test("SIGHUP with a file that has not changed declares nothing, and watchers hear nothing", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 1 }]");
  await using client = createGrpcClient(server.address);
  await server.logged(/limiters declared/);
  const stream = client.open(watchLimiters, {});
  const heard = [(await stream.next()).event];
  const declared = async () => (await server.logged(/limiters declared|says what is in force already/)).msg;
  for (let i = 0; i < 5; i++) {
    server.signal("SIGHUP");
    expect(await declared()).toMatch(/says what is in force already/);
  }
  // The control: what changes is declared, and heard of.
  server.configure("limiters: [{ name: db, max_concurrent: 2 }]");
  expect(await declared()).toBe("limiters declared");
  heard.push((await stream.next()).event);
  expect(heard).toMatchObject([
    { case: "snapshot", value: { limiters: [{ name: "db", maxConcurrent: 1, etag: "1" }] } },
    { case: "changed", value: { name: "db", maxConcurrent: 2, etag: "2" } },
  ]);
});

test("a bad file changes nothing, and each thing that is wrong is named with its place", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 1 }]");
  await using client = createGrpcClient(server.address);
  server.configure("limiters:\n  - name: db\n    max_concurrent: 0\n  - name: new\n    max_rsp: 5");
  expect(await server.logged(/max_concurrent/)).toMatchObject({ level: 50, msg: expect.stringContaining("4:") });
  expect(await server.logged(/max_rps/)).toMatchObject({ level: 50 });
  await server.logged(/is not taken up/);
  const { limiters } = await client.call(listLimiters, {});
  expect(limiters).toMatchObject([{ name: "db", maxConcurrent: 1, etag: "1" }]);
});

test("a declared limiter changed by RPC stays so until its declaration changes, and is not deleted by RPC", async () => {
  await using server = await startServerProcess("limiters: [{ name: db, max_concurrent: 1 }]");
  await using client = createGrpcClient(server.address);
  await client.call(updateLimiter, { limiter: { name: "db", maxConcurrent: 7 } });
  server.configure("limiters: [{ name: db, max_concurrent: 1 }, { name: new, max_concurrent: 1 }]");
  await server.logged(TAKEN_UP);
  expect(await limiterOf(client, "db")).toMatchObject({ maxConcurrent: 7 });
  server.configure("limiters: [{ name: db, max_concurrent: 2 }, { name: new, max_concurrent: 1 }]");
  await server.logged(TAKEN_UP);
  expect(await limiterOf(client, "db")).toMatchObject({ maxConcurrent: 2 });

  expect(await failureOf(client.call(deleteLimiter, { name: "db" }))).toMatchObject({
    code: Code.FailedPrecondition,
    reason: "DECLARED",
  });
  server.configure("limiters: [{ name: new, max_concurrent: 1 }]");
  await server.logged(TAKEN_UP);
  expect(await acquire(client, "db").ending).toMatchObject({ reason: "LIMITER_NOT_FOUND" });
});

test("keyed changes in the file: at once where nothing is held, else not, and the other fields are taken up", async () => {
  const yaml = (keyed: boolean, max: number) =>
    `limiters: [{ name: db, max_concurrent: ${max}, keyed: ${keyed} }, { name: idle, max_concurrent: ${max}, keyed: ${keyed} }]`;
  await using server = await startServerProcess(yaml(false, 1));
  await using client = createGrpcClient(server.address);
  const holder = await hold(client, "db");
  server.configure(yaml(true, 2));
  expect(await server.logged(/keyed is not changed while/)).toMatchObject({ level: 50, limiters: ["db"] });
  expect(await limiterOf(client, "db")).toMatchObject({ keyed: false, maxConcurrent: 2 });
  expect(await limiterOf(client, "idle")).toMatchObject({ keyed: true, maxConcurrent: 2 });
  await giveBack(client, holder);
  server.signal("SIGHUP");
  await server.logged(/is tried again/);
  await server.logged(/limiters declared/);
  expect(await limiterOf(client, "db")).toMatchObject({ keyed: true, declared: true });
});
