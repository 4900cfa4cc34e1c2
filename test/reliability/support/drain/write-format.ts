/**
 * Writes a data folder with something of everything, as this version keeps it, for later versions to take up:
 * `node test/reliability/support/drain/write-format.ts && npm run format`, once a format, by the last version that writes it.
 */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AdmissionService } from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { openMark } from "../../../../src/server/store/sqlite/mark.ts";
import { FORMAT } from "../../../../src/server/store/sqlite/migrations.ts";
import { giveBack, hold, queue } from "../../../support/acquire.ts";
import { add, BOARD, finish, take } from "../../../support/board.ts";
import type { ContractClient } from "../../../support/contract-client.ts";
import { createGrpcClient } from "../../../support/grpc-client.ts";
import { untilStatus } from "../../../support/look.ts";
import { startServerProcess } from "../../../support/server-process.ts";
import { startFaultProxy } from "../network/fault-proxy.ts";
import { type FolderView, viewFolder } from "./folder-view.ts";

/** What the next server has to find in the folder. */
export interface Expected {
  readonly view: FolderView;
  /** Of a lease whose stream was lost, and of one without a stream. */
  readonly leases: readonly { readonly leaseId: string; readonly secret: string }[];
  /** Waits for `db`, and has a place to come back to. */
  readonly waiting: string;
  /** A request id whose lease was released. */
  readonly past: string;
  /** The card that is worked on. */
  readonly card: { readonly cardId: string; readonly fencingToken: string };
}

const requestId = (name: string) => name.padEnd(22, "-");
const DB = { limiter: "db", slots: true };

/** `folder`: it is made. Resolves when the server that has written it has ended. */
export async function writeFolder(folder: string): Promise<Expected> {
  await using server = await startServerProcess("", { env: { BACKPRESSURE_STORE_FOLDER: folder } });
  await using client = createGrpcClient(server.address);
  await makeLimiters(client);
  const card = await makeBoard(client);

  const detached = await client.call(AdmissionService.method.tryAcquire, {
    claims: [{ ...DB, permits: 2 }],
    holder: "detached",
  });
  if (detached.result.case !== "granted") throw new Error("it was refused");
  const spent = { claims: [{ limiter: "api", tokens: 4 }], holder: "spends" };
  await client.call(AdmissionService.method.tryAcquire, spent);
  await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "mail", tokens: 2 }], holder: "sends" });
  await client.call(AdmissionService.method.tryAcquire, {
    claims: [{ limiter: "tenants", key: "blue" }],
    holder: "keyed",
  });
  const past = requestId("released");
  await giveBack(client, await hold(client, { claims: [{ limiter: "tenants", key: "red" }], requestId: past }));

  // Their connection is lost, not cancelled: so they are there to come back to.
  await using proxy = await startFaultProxy(server.address);
  await using lost = createGrpcClient(proxy.address);
  const stream = await hold(lost, { claims: [DB], holder: "stream" });
  const waiting = requestId("waits");
  await queue(lost, { claims: [DB], holder: "waits", requestId: waiting });
  proxy.strike({ kind: "reset" });
  await untilStatus(client, "db", ({ orphanedLeases }) => orphanedLeases === 1n);

  const view = await viewFolder(server.address);
  server.signal("SIGTERM");
  const { code } = await server.exited;
  if (code !== 0) throw new Error(`the server has ended with ${code}`);
  const { lease, secret } = detached.result.value;
  return {
    view,
    leases: [
      { leaseId: lease?.id ?? "", secret },
      { leaseId: stream.leaseId, secret: stream.secret },
    ],
    waiting,
    past,
    card,
  };
}

async function makeLimiters(client: ContractClient): Promise<void> {
  const { createLimiter } = LimiterService.method;
  const ttl = { seconds: 120n };
  await client.call(createLimiter, {
    limiter: { name: "db", description: "a pool", maxConcurrent: 3, ttl, maxWaiters: 7 },
  });
  await client.call(createLimiter, { limiter: { name: "api", maxRps: 0.001, burstSize: 10 } });
  await client.call(createLimiter, {
    limiter: { name: "mail", rate: { tokens: 50, per: { seconds: 86_400n } }, burstSize: 3 },
  });
  await client.call(createLimiter, { limiter: { name: "tenants", keyed: true, maxKeys: 9, maxConcurrent: 2, ttl } });
  await client.call(createLimiter, { limiter: { name: "paused", maxConcurrent: 1, paused: true, trustCancel: false } });
}

/** A card in each state; returns the work on one of them, which is a person's, for ever. */
async function makeBoard(client: ContractClient): Promise<Expected["card"]> {
  const { createBoard, blockCard, sendBackCard } = BoardService.method;
  const stages = [{ name: "In" }, { name: "Build", wipLimit: 4 }, { name: "Test", wipLimit: 3 }, { name: "Out" }];
  await client.call(createBoard, { board: { name: BOARD, description: "of all kinds", stages, maxAttempts: 4 } });
  await add(client, "completed", "sent-back", "finished", "blocked", "active", {
    id: "waiting",
    title: "Wait",
    description: "until somebody comes",
    data: '{"a":1}',
    priority: 3,
  });
  const next = (cardId: string, stage: string) => take(client, { stage, cardId, worker: `does ${cardId}` });
  for (const id of ["completed", "sent-back"]) {
    await finish(client, await next(id, "Build"), `built ${id}`);
    const { cardId, fencingToken } = await next(id, "Test");
    if (id === "completed") await finish(client, { cardId, fencingToken }, "tested");
    else await client.call(sendBackCard, { board: BOARD, cardId, fencingToken, reason: "once more" });
  }
  await client.call(BoardService.method.tryPullCard, { board: BOARD, stage: "Out", cardId: "completed" });
  await finish(client, await next("finished", "Build"), "done");
  await client.call(blockCard, { board: BOARD, cardId: "blocked", reason: "no parts" });
  const { cardId, fencingToken } = await next("active", "Build");
  return { cardId, fencingToken: String(fencingToken) };
}

/** Removes which machine it was, and which of its starts; a folder that was closed in order needs neither. */
function forgetMachine(folder: string): void {
  rmSync(join(folder, "owner.json"));
  const mark = openMark(join(folder, "mark"), (what) => new Error(what));
  const latest = mark.read();
  if (latest === undefined || !latest.closed) throw new Error("the folder was not closed");
  for (let slot = 0; slot < 2; slot += 1) mark.write({ ...latest, boot: "" });
  mark.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL(`format-${FORMAT}/`, import.meta.url));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const expected = await writeFolder(join(folder, "data"));
  forgetMachine(join(folder, "data"));
  writeFileSync(join(folder, "expected.json"), `${JSON.stringify(expected, undefined, 2)}\n`);
}
