/**
 * What a disk does to a server that serves, under load. Each trial ends with the server ended: what it has kept is for the
 * next start, and the audit, to tell.
 */

import { cpSync, mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../../src/client/gen/grpc/health/v1/health_pb.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import { giveBack, hold } from "../../../support/acquire.ts";
import { createGrpcClient } from "../../../support/grpc-client.ts";
import { CHECKPOINT_WRITE, DATABASE, FULL, LOG, MARK, STOPPING_FAULT } from "./faults.ts";
import { LIMITER } from "./load.ts";
import { afterPowerCut } from "./power-cut.ts";
import { type Fault, injectFault, noteWrites } from "./strace.ts";
import type { DiskSubject } from "./subject.ts";

/** The server runs, and waits for what is to come. */
export interface Trial {
  readonly subject: DiskSubject;
  readonly dice: Dice;
}

/** Answers after which a server is said to go on. */
const GOES_ON = 800;
/** Calls, at most, that go well before the first that fails. */
const LATEST = 60;

/** The server ends with 1, and says why. */
export async function failWhileServing(fault: Fault, { subject, dice }: Trial): Promise<void> {
  const { server, folder, ledger } = subject;
  await using load = subject.load(dice.roll(2 ** 31));
  await using _ = await injectFault({ ...whereOf(subject), fault, from: 1 + dice.roll(LATEST) });
  const ended = await Promise.race([server.exited, load.answers(GOES_ON)]);
  if (ended === undefined) ledger.breach(`${fault.name}: it goes on`);
  const said = await subject.end();
  if (ended !== undefined && ended.code !== 1)
    ledger.breach(`${fault.name}: it ends with ${ended.code ?? ended.signal}: ${said}`);
  if (!said.includes(`the data folder ${folder} cannot be written any more: `))
    ledger.breach(`${fault.name}: it does not say why: ${said}`);
  await load.stop();
}

/** Nothing is granted or changed until there is room; what is held is given back; health tells. */
export async function fillDisk({ subject, dice }: Trial): Promise<void> {
  const { server, ledger } = subject;
  await using client = createGrpcClient(server.address);
  const health = async () => (await client.call(Health.method.check, {})).status;
  const held = await hold(client, LIMITER);
  await using load = subject.load(dice.roll(2 ** 31));
  await using disk = await injectFault({ ...whereOf(subject), fault: FULL, from: 1 + dice.roll(LATEST) });
  const isFull = server.logged(/the data folder is full/);
  const instead = await Promise.race([isFull, load.answers(GOES_ON).then(() => "it goes on")]).then(
    (line) => (typeof line === "string" ? line : undefined),
    ({ message }: Error) => message,
  );
  if (instead !== undefined) {
    ledger.breach(`with the disk full it does not wait for room: ${instead}`);
    await subject.end();
    return load.stop();
  }

  // By the second time that it fails all has come that was answered before the first.
  await disk.failures(1);
  const before = ledger.promises;
  if ((await health()) !== ServingStatus.NOT_SERVING) ledger.breach("with the disk full it says that it serves");
  await giveBack(client, held);
  await using late = subject.load(dice.roll(2 ** 31));
  await disk.failures(2);
  if (ledger.promises > before) ledger.breach(`with the disk full ${ledger.promises - before} were granted or changed`);

  const hasRoom = server.logged(/the data folder has room again/);
  await disk.lift();
  await hasRoom;
  await late.stop();
  await load.stop();
  if ((await health()) !== ServingStatus.SERVING) ledger.breach("with room again it says that it does not serve");
  const unanswered = ledger.asks.filter(({ answer }) => answer.kind === "unanswered").length;
  if (unanswered > 0) ledger.breach(`with room again ${unanswered} have no answer`);
  await subject.end();
}

/** The log cannot be written into the database: that is logged, once each way, and all goes on. */
export async function failCheckpoint({ subject, dice }: Trial): Promise<void> {
  const { server, ledger } = subject;
  await using client = createGrpcClient(server.address);
  await using load = subject.load(dice.roll(2 ** 31));
  await using disk = await injectFault({ ...whereOf(subject), fault: CHECKPOINT_WRITE, from: 1 });
  await server.logged(/cannot be written into its database/);
  await disk.failures(2);
  await load.answers(GOES_ON);
  const { status } = await client.call(Health.method.check, {});
  if (status !== ServingStatus.SERVING) ledger.breach("while its log grows it says that it does not serve");
  const again = server.logged(/is written into its database again/);
  await disk.lift();
  await again;
  const said = await subject.end();
  const times = said.split("cannot be written into its database").length - 1;
  if (times !== 1) ledger.breach(`that the log grows is logged ${times} times`);
  await load.stop();
}

/** No more than some work, and a crash. */
export async function work({ subject, dice }: Trial): Promise<void> {
  await using load = subject.load(dice.roll(2 ** 31));
  await load.answers(20 + dice.roll(60));
  await subject.end();
  await load.stop();
}

/** SIGTERM, and what is still to be brought to the disk does not come there: the server ends with 1. */
export async function failAtStop({ subject, dice }: Trial): Promise<void> {
  const { server, ledger } = subject;
  await using load = subject.load(dice.roll(2 ** 31));
  await load.answers(20 + dice.roll(60));
  await using _ = await injectFault({ ...whereOf(subject), fault: STOPPING_FAULT, from: 1 });
  server.signal("SIGTERM");
  const { code, signal } = await server.exited;
  if (code !== 1) ledger.breach(`a stop that fails ends with ${code ?? signal}`);
  await load.stop();
}

/** The power goes: of what was written and not synced, some is lost. */
export async function cutPower({ subject, dice }: Trial): Promise<void> {
  const { folder } = subject;
  using scratch = mkdtempDisposableSync(join(tmpdir(), "backpressure-power-"));
  const files = [DATABASE, LOG, MARK];
  const before = join(scratch.path, "before");
  const noteFile = join(scratch.path, "writes");
  await using notes = await noteWrites({ ...whereOf(subject), files, noteFile });
  // After strace has taken hold: what is written meanwhile is noted, and to write it twice is harmless.
  cpSync(folder, before, { recursive: true });
  await using load = subject.load(dice.roll(2 ** 31));
  await load.answers(20 + dice.roll(100));
  await subject.end();
  await notes.lift();
  await load.stop();
  afterPowerCut({ folder, before, noteFile, files, dice });
}

function whereOf({ server, folder }: DiskSubject) {
  return { pid: server.process.pid, folder };
}
