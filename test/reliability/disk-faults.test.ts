/**
 * The disk fails, by errors of real system calls, and the power goes: what was answered is kept, and what cannot be kept is
 * not answered.
 */

import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { verifyAuditFile } from "../../src/server/audit/verify.ts";
import type { LeaseDurability } from "../../src/server/store/row.ts";
import { createDice } from "../server/machine/dice.ts";
import { acquire, giveBack, hold } from "../support/acquire.ts";
import { type CallFailure, failureOf } from "../support/call-failure.ts";
import { createConnectClient } from "../support/connect-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import { startServerProcess } from "../support/server-process.ts";
import { createTlsFolder } from "../support/tls-folder.ts";
import { withBugs } from "./support/bug.ts";
import { BUGS, type BugName } from "./support/disk-faults/bugs.ts";
import {
  AUDIT_FULL,
  CHECKPOINT_SYNC,
  FULL,
  LATE_LOG_WRITE,
  LOG_WRITE,
  SERVING_FAULTS,
  SLOW_SYNC,
  STARTING_FAULTS,
  STOPPING_FAULT,
} from "./support/disk-faults/faults.ts";
import { failAtFirstStart, failAtStart } from "./support/disk-faults/starts.ts";
import { injectFault, requireStrace } from "./support/disk-faults/strace.ts";
import { startDiskSubject } from "./support/disk-faults/subject.ts";
import {
  cutPower,
  failAtStop,
  failCheckpoint,
  failWhileServing,
  fillDisk,
  type Trial,
  work,
} from "./support/disk-faults/trials.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const { tryAcquire, renew } = AdmissionService.method;
const LIMITERS = "limiters:\n  - { name: db, max_concurrent: 10 }\n";
const FULL_LIMITER = "  - { name: full, max_concurrent: 1 }\n";
const ROUNDS = inTier({ C: 1, N: 15 });
const CUTS = inTier({ C: 2, N: 40 });
const record = openRecord("disk-faults");
const seed = seedOf("disk-faults");

beforeEach((context) => requireStrace(context));

describe.concurrent("what was answered is kept, with leases", { timeout: 120_000 + ROUNDS * 120_000, retry: 0 }, () => {
  test.for(["process", "disk"] as const)("%s: whatever fails", async (leases) => {
    const dice = createDice(seed);
    await using subject = await startDiskSubject(leases);
    const { ledger } = subject;
    const trials: readonly (readonly [string, (trial: Trial) => Promise<void>])[] = [
      ...SERVING_FAULTS.map((fault) => [fault.name, (trial: Trial) => failWhileServing(fault, trial)] as const),
      ["a full disk", fillDisk],
      ["a stop", failAtStop],
    ];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, run] of trials) {
        await run({ subject, dice });
        await subject.audit();
        expect(ledger.breaches, name).toEqual([]);
      }
    }
    record({ figure: `faults, leases: ${leases}`, value: ROUNDS * trials.length, unit: "restarts", seed });
    record({
      figure: `answers held against what was kept, leases: ${leases}`,
      value: ledger.promises,
      unit: "answers",
    });
  });

  test("disk: a start that fails", async () => {
    const dice = createDice(seed);
    await using subject = await startDiskSubject("disk");
    let refused = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await work({ subject, dice });
      for (const fault of STARTING_FAULTS) if (await failAtStart(fault, { subject, dice })) refused += 1;
      if (await failAtFirstStart(dice.pick(STARTING_FAULTS), { subject, dice })) refused += 1;
      await subject.audit();
      expect(subject.ledger.breaches).toEqual([]);
    }
    record({ figure: "starts on a disk that fails", value: refused, unit: "refused", seed });
  });

  test("disk: a loss of power", async () => {
    const dice = createDice(seed);
    await using subject = await startDiskSubject("disk", ["another boot at each start"]);
    for (let cut = 0; cut < CUTS; cut += 1) {
      await cutPower({ subject, dice });
      await subject.audit({ bugs: ["another boot at each start"] });
      expect(subject.ledger.breaches).toEqual([]);
    }
    record({ figure: "losses of power, leases: disk", value: CUTS, unit: "restarts", seed });
  });

  test("process: a loss of power, after which cards and limiters are kept, and nothing is granted", async () => {
    const dice = createDice(seed);
    await using subject = await startDiskSubject("process");
    await cutPower({ subject, dice });
    await subject.audit({ bugs: ["another boot at each start"], learning: true });
    expect(subject.ledger.breaches).toEqual([]);
  });
});

describe("with no room for the audit file", { retry: 0 }, () => {
  const { createLimiter, getLimiter } = LimiterService.method;

  /** A server with one line in its audit file, and from then on no room for another. */
  async function setup(bugs: readonly BugName[] = []) {
    const folder = createTlsFolder();
    const path = join(folder.path, "audit.jsonl");
    const server = await startServerProcess(`workers: 2\naudit: { file: ${path} }\n${LIMITERS}`, {
      nodeArguments: withBugs(bugs.map((name) => BUGS[name])),
    });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const client = createGrpcClient(server.address);
    onTestFinished(() => client[Symbol.asyncDispose]());
    const make = (name: string) => client.call(createLimiter, { limiter: { name, maxConcurrent: 1 } });
    await make("before");
    const disk = await injectFault({ pid: server.process.pid, folder: folder.path, fault: AUDIT_FULL, from: 1 });
    onTestFinished(() => disk.lift());
    return { path, server, client, make, disk };
  }

  test("what operators do is refused and not done, and nothing else is", async () => {
    const { path, server, client, make, disk } = await setup();
    expect(await failureOf(make("meanwhile"))).toMatchObject({ code: Code.Unavailable, reason: "NOT_AUDITED" });
    expect(await server.logged(/the audit file cannot be written/)).toMatchObject({ event: "audit-not-written" });
    expect(await failureOf(client.call(getLimiter, { name: "meanwhile" }))).toMatchObject({ code: Code.NotFound });
    const held = await hold(client, "db");
    await client.call(renew, { leases: [{ leaseId: held.leaseId, secret: held.secret }] });
    await giveBack(client, held);
    await disk.lift();
    await make("afterwards");
    expect(await verifyAuditFile(path)).toMatchObject({ kind: "whole", lines: 2, end: { seq: 2 } });
    record({ figure: "acts of operators without room for the audit file", value: 0, unit: "done" });
  });

  test("control: where the act waits for no line, it is done without one", async () => {
    const { path, client, make } = await setup(["does for operators what it cannot write down"]);
    await make("meanwhile");
    expect(await client.call(getLimiter, { name: "meanwhile" })).toMatchObject({ limiter: { name: "meanwhile" } });
    expect(await verifyAuditFile(path)).toMatchObject({ lines: 1 });
    record({ figure: "acts of operators, written down or not", value: 1, unit: "done", control: "without a line" });
  });
});

describe("one thing that fails", () => {
  test("with the disk full, what is held is renewed while a grant waits for room", { retry: 0 }, async () => {
    await using server = await startRestartingServer(LIMITERS);
    await using client = createGrpcClient(server.address);
    const { leaseId, secret } = await hold(client, "db");
    const pid = server.process.process.pid;
    await using disk = await injectFault({ pid, folder: server.folder, fault: FULL, from: 1 });
    client.call(tryAcquire, { claims: [{ limiter: "db" }] }).catch(() => {});
    await disk.failures(1);
    const renewed = client
      .call(renew, { leases: [{ leaseId, secret }] })
      .then(({ results }) => results[0]?.result.case);
    // Twice more there is no room: a second, for which no caller need wait.
    const waited = disk.failures(2).then(() => "not answered");
    expect(await Promise.race([renewed.catch(String), waited])).toBe("renewed");
  });

  test("with the disk full, calls are answered in time, refusals at once, and callers that are gone take nothing", {
    retry: 0,
    timeout: 60_000,
  }, async () => {
    await using server = await startRestartingServer(`drain: { timeout: 3s }\n${LIMITERS}${FULL_LIMITER}`);
    await using client = createGrpcClient(server.address);
    await using web = createConnectClient(server.url, { protocol: "connect", httpVersion: "1.1" });
    await hold(client, "full");
    const { pid } = server.process.process;
    await using disk = await injectFault({ pid, folder: server.folder, fault: FULL, from: 1 });
    const claims = [{ limiter: "db" }];
    const notKept = { reason: "NOT_KEPT", retryDelay: 1000 };
    const failureOf = (call: Promise<unknown>) => call.catch((failure: CallFailure) => failure);
    // The first waits for as long as the drain may take; it fills the disk's queue for all that come after.
    const patient = failureOf(client.call(tryAcquire, { claims }));
    const stream = acquire(client, "db");
    await disk.failures(1);
    for (const each of [client, web]) {
      // What is refused needs no disk.
      expect(await each.call(tryAcquire, { claims: [{ limiter: "full" }] })).toMatchObject({
        result: { case: "refused" },
      });
      expect(await failureOf(each.call(tryAcquire, { claims: [{ limiter: "none" }] }))).toMatchObject({
        reason: "LIMITER_NOT_FOUND",
      });
      expect(await failureOf(each.call(tryAcquire, { claims }, { timeout: 1_500 }))).toMatchObject(notKept);
    }
    const gone = Array.from({ length: 50 }, (_, index) =>
      failureOf((index % 2 === 0 ? client : web).call(tryAcquire, { claims }, { timeout: 100 })),
    );
    await Promise.all(gone);
    expect(await patient).toMatchObject(notKept);
    expect(await stream.ending).toMatchObject(notKept);
    await disk.lift();
    const granted = await client.call(tryAcquire, { claims });
    expect(granted).toMatchObject({ result: { case: "granted" } });
    const { leases } = await client.call(LimiterService.method.listLeases, { limiter: "db" });
    expect(leases).toHaveLength(1);
  });

  const stops: readonly [string, string, object][] = [
    ["are answered when they are kept", "", { case: "granted" }],
    [
      "are answered UNAVAILABLE when the drain is over",
      "drain: { timeout: 200ms }\n",
      // Their own time for the disk is as long as the drain's, and ends at about the same instant.
      { code: Code.Unavailable, reason: expect.stringMatching(/^(DRAINING|NOT_KEPT)$/), retryDelay: 1000 },
    ],
  ];
  test.for(stops)(
    "SIGTERM while grants are on their way to the disk: their callers %s",
    { retry: 0 },
    async ([_, drain, expected]) => {
      await using server = await startRestartingServer(`${drain}${LIMITERS}`, "leases: disk");
      await using client = createGrpcClient(server.address);
      await client.call(tryAcquire, { claims: [{ limiter: "db" }] });
      const { pid } = server.process.process;
      await using _disk = await injectFault({ pid, folder: server.folder, fault: SLOW_SYNC, from: 1 });
      const answer = client.call(tryAcquire, { claims: [{ limiter: "db" }] }).then(
        ({ result }) => result,
        (failure: CallFailure) => failure,
      );
      const stream = acquire(client, "db")
        .next("granted")
        .then(
          () => ({ case: "granted" }),
          (failure: CallFailure) => failure,
        );
      // What is asked after it, on the same connection, is answered when that has been decided.
      await client.call(LimiterService.method.listLeases, { limiter: "db" });
      server.process.signal("SIGTERM");
      expect(await answer).toMatchObject(expected);
      expect(await stream).toMatchObject(expected);
    },
  );

  test("a log that cannot be written into the database: it goes on, and tells", {
    retry: 0,
    timeout: 120_000,
  }, async () => {
    await using subject = await startDiskSubject("process");
    await failCheckpoint({ subject, dice: createDice(seed) });
    await subject.audit();
    expect(subject.ledger.breaches).toEqual([]);
  });

  test("an fsync of the database ends the process, as any that fails", { retry: 0, timeout: 120_000 }, async () => {
    await using subject = await startDiskSubject("process");
    const { server, folder } = subject;
    await using load = subject.load(1);
    await using _ = await injectFault({ pid: server.process.pid, folder, fault: CHECKPOINT_SYNC, from: 1 });
    expect(await server.exited).toMatchObject({ code: 1 });
    expect(await subject.end()).toContain(`the data folder ${folder} cannot be written any more: `);
    await load.stop();
    await subject.audit();
    expect(subject.ledger.breaches).toEqual([]);
  });

  test("a stop that cannot bring all to the disk says so, and ends with 1", { retry: 0 }, async () => {
    await using server = await startRestartingServer(LIMITERS);
    await using client = createGrpcClient(server.address);
    await hold(client, "db");
    const { pid } = server.process.process;
    await using _ = await injectFault({ pid, folder: server.folder, fault: STOPPING_FAULT, from: 1 });
    // What it has said comes with the news that it has ended.
    const said = server.process.logged(/^(?!)/).catch(String);
    expect(await server.stop()).toMatchObject({ code: 1 });
    expect(await said).toContain(`the data folder ${server.folder} could not be closed in order: disk I/O error`);
  });
});

describe.concurrent("control: it is found when the server", { timeout: 120_000 }, () => {
  const controls: readonly [BugName, LeaseDurability, (trial: Trial) => Promise<void>, RegExp][] = [
    [
      "answers before it is kept",
      "process",
      (trial) => failWhileServing(LATE_LOG_WRITE, trial),
      /was granted, and is gone|was answered/,
    ],
    [
      "takes a failed write for one that was kept",
      "process",
      (trial) => failWhileServing(LOG_WRITE, trial),
      /it goes on.*(is gone|was answered)/s,
    ],
    ["takes a full disk for a broken one", "process", fillDisk, /does not wait for room.*cannot be written any more/s],
    ["does not wait for the disk", "disk", cutPower, /it does not start again.*commits are missing|and is gone/s],
  ];
  test.for(controls)("%s", async ([bug, leases, run, found]) => {
    const dice = createDice(seed);
    const bugs: readonly BugName[] = run === cutPower ? ["another boot at each start"] : [];
    await using subject = await startDiskSubject(leases, [bug, ...bugs]);
    const breaches = () => subject.ledger.breaches.join("\n");
    // A fault may come when no client waits for an answer, and show only a part of it.
    for (let trial = 1; trial <= 5 && !found.test(breaches()); trial += 1) {
      if (trial > 1) await subject.restart([bug, ...bugs]);
      await run({ subject, dice });
      await subject.audit({ bugs });
    }
    expect(breaches()).toMatch(found);
  });
});
