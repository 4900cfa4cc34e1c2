/** The store that outlives the process: rows in a data folder, written by a thread of its own. */

import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as endOfTurn } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { createSecretKey } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Change } from "../machine/limiter/command.ts";
import { caughtUp } from "../machine/limiter/earlier-rates.ts";
import type { Instance } from "../machine/limiter/limiter.ts";
import { boundsInSeconds, Histogram } from "../machine/structures/histogram.ts";
import { createKeeper, type WriteError } from "./keeper.ts";
import { cardsNowhere, createFinding, keysOfLeases, NOTHING_FOUND } from "./records/found.ts";
import { isPastRequest, ownRow, requestKey } from "./records/keys.ts";
import { toKept } from "./records/to-kept.ts";
import { type Durability, INCOMPLETE_KEY, type LeaseDurability, type RowChange, type RowTaker } from "./row.ts";
import { createRunningTime } from "./running-time.ts";
import { DATABASE, LOG } from "./sqlite/names.ts";
import { openStoreWorker } from "./sqlite/open-worker.ts";
import type { Store } from "./store.ts";

export interface DurableStoreOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** µs since 1970 at the machines' zero. */
  readonly epoch: number;
  readonly folder: string;
  /** Where the server is to listen, for people who find the folder in use. */
  readonly serves?: string;
  readonly leases: LeaseDurability;
  readonly maxMegabytes: number;
  readonly acceptLoss: boolean;
  /** Called when nothing can be kept any more, for a lasting reason, or when not all reached the disk at the close. */
  readonly onFatal: (message: string) => void;
  /** Starts the thread that writes. Default: one that keeps rows in a database of the folder. */
  readonly openWorker?: typeof openStoreWorker;
}

/** µs until a commit for which there was no room is tried again. */
const RETRY = 500_000;
/** µs for which a request id is remembered at least, and how many are remembered at most. */
const REMEMBER = 600_000_000;
const MAX_REMEMBERED = 400_000;
/** µs that an unknown lease may last: the longest ttl that the contract allows, 24 hours. */
const LONGEST_TTL = 86_400_000_000;

/** µs after the end of the learning, which begins a little later than the store. */
const PAST_LEARNING = 5_000_000;

const COMMIT_BOUNDS = boundsInSeconds(
  ...[0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10],
);

const SECRET_KEY = "secret-key";
const RESERVED = "reserved-tokens";
const LONGEST = "longest-ttl";

/** Opens the data folder; rejects with a `StoreError` if it cannot be taken up. */
export async function openDurableStore(options: DurableStoreOptions): Promise<Store> {
  const {
    clock,
    epoch,
    folder,
    leases,
    maxMegabytes,
    acceptLoss,
    serves,
    log,
    onFatal,
    openWorker = openStoreWorker,
  } = options;
  const file = { folder, serves, leases, maxMegabytes, acceptLoss, boot: bootId() };
  let finding = createFinding();
  const taker: RowTaker = {
    take: (row) => finding.take(row),
    again() {
      finding = createFinding();
    },
  };
  const worker = await openWorker(file, { taker, onCommitted: createLogGrowth(folder, log) });
  let found = finding.finish(epoch, clock.now());
  finding = createFinding();
  const zero = { epoch, ranBefore: found.ranBefore };
  let tellHealth: (problem: string | undefined) => void = () => {};
  let closed: Promise<void> | undefined;
  let atEnd: string | undefined;
  const commits = new Histogram(COMMIT_BOUNDS);
  const keeper = createKeeper({
    writer: {
      async commit(changes, durability) {
        const begun = clock.now();
        await worker.commit(changes, durability);
        commits.record(clock.now() - begun);
      },
    },
    endOfTurn,
    later: (callback) => void clock.schedule(clock.now() + RETRY, false, callback),
    onHealth(problem: WriteError | undefined) {
      // Before the log: a reader of these lines asks for health.
      tellHealth(problem?.message);
      if (problem)
        log.error(
          { event: "store-full", folder, err: problem },
          "the data folder is full: nothing is granted until there is room",
        );
      else log.info({ event: "store-has-room", folder }, "the data folder has room again");
    },
    onFatal(problem) {
      const message = `the data folder ${folder} cannot be written any more: ${problem.message}`;
      // During a close its own end reports this, and may know more.
      if (closed === undefined) onFatal(message);
      else atEnd = message;
    },
  });

  let longest = Number(found.own.get(LONGEST) ?? 0);
  const secret = found.own.get(SECRET_KEY);
  const secretKey = secret === undefined ? createSecretKey() : Buffer.from(secret, "base64url");
  if (secret === undefined)
    await keeper.keep([ownRow(SECRET_KEY, Buffer.from(secretKey).toString("base64url"))], "disk");

  const strays = cardsNowhere(found.boards);
  if (strays.length > 0) {
    log.error(
      { event: "cards-without-stage", folder, cards: strays },
      "lost are the stages of these cards, which are blocked in the first, or their boards, with which they come back",
    );
  }

  // When each request id was noted, the oldest first.
  const remembered = new Map(found.limiters.pastRequests.map((past) => [requestKey(past), clock.now()]));

  function remember(key: string): void {
    remembered.delete(key);
    remembered.set(key, clock.now());
  }

  function forgetOld(rows: RowChange[]): void {
    const now = clock.now();
    for (const [key, at] of remembered) {
      if (at + REMEMBER > now && remembered.size <= MAX_REMEMBERED) return;
      remembered.delete(key);
      rows.push({ key, body: undefined });
    }
  }

  /** Notes a ttl that is longer than any before: it has to be known after any loss. */
  function noteTtl(change: Change, rows: RowChange[]): boolean {
    if (change.kind !== "lease-put" || change.lease.ttl <= longest) return false;
    longest = change.lease.ttl;
    rows.push(ownRow(LONGEST, String(longest)));
    return true;
  }

  function noteBucket(instance: Instance): void {
    const { rate } = instance.limiter.config;
    if (rate !== undefined) running.note(caughtUp(instance), rate);
  }

  /** Returns it from a row that was on disk before the first lease was granted, or a bound if that may be lost. */
  function longestTtl(): number {
    if (longest > 0 || worker.incomplete === "by-power") return longest;
    const bounds = found.limiters.limiters.map(({ config }) => config.maxTtl);
    return bounds.length > 0 ? Math.max(...bounds) : LONGEST_TTL;
  }

  // Leases that an earlier run has kept are taken up this once, and not kept on: no command would end their rows.
  const unkept = leases === "none" ? keysOfLeases(found.limiters) : [];
  if (unkept.length > 0)
    await keeper.keep(
      unkept.map((key) => ({ key, body: undefined })),
      "process",
    );

  const incompleteFor = worker.incomplete === "no" ? 0 : longestTtl();
  let stopWaiting = () => {};
  if (worker.incomplete !== "no") {
    // A start before then has to learn from the beginning.
    const over = clock.now() + incompleteFor + PAST_LEARNING;
    const forget = () => void keeper.keep([{ key: INCOMPLETE_KEY, body: undefined }], "process");
    stopWaiting = clock.schedule(over, false, forget);
  }

  const running = createRunningTime({
    clock,
    ranBefore: found.ranBefore,
    write: (mark) => void keeper.keep([mark], "process"),
  });
  if (leases !== "none") {
    for (const { at, rate } of found.fullAt) running.noteFull(at, { gain: rate[0], unit: rate[1] });
  }

  async function close(): Promise<void> {
    stopWaiting();
    running.close();
    if (leases !== "none") void keeper.keep([running.mark()], "process");
    await keeper.close();
    try {
      await worker.close();
      if (atEnd !== undefined) onFatal(atEnd);
    } catch (error) {
      onFatal(
        `the data folder ${folder} could not be closed in order: ${(error as WriteError).message}. ` +
          "What was answered is in its files, but the last of it may not be on the disk: look after the disk, and start the " +
          "server again before the machine is switched off; a start says what is missing",
      );
    }
  }

  return {
    get found() {
      return found;
    },
    forgetFound() {
      found = NOTHING_FOUND;
    },
    incompleteFor,
    secretKey,
    reserved: Number(found.own.get(RESERVED) ?? 0),
    reserve: (upTo) => keeper.keep([ownRow(RESERVED, String(upTo))], "disk"),
    keep(changes) {
      const rows: RowChange[] = [];
      let durability: Durability = "process";
      let awaited = false;
      for (const change of changes) {
        if (noteTtl(change as Change, rows)) {
          durability = "disk";
          awaited = true;
        }
        const kept = toKept(change, zero);
        if (kept === undefined) continue;
        const safety = kept.of === "lease" ? leases : "disk";
        if (safety === "none") continue;
        rows.push(kept.row);
        if (change.kind === "tokens-spent") noteBucket(change.instance);
        if (kept.awaited) awaited = true;
        if (kept.awaited && safety === "disk") durability = "disk";
        if (isPastRequest(kept.row.key)) remember(kept.row.key);
      }
      forgetOld(rows);
      if (rows.length === 0) return undefined;
      const done = keeper.keep(rows, durability);
      return awaited ? done : undefined;
    },
    onHealth(listener) {
      tellHealth = listener;
    },
    figures: async () => ({ commits: commits.copy(), bytes: await sizeOf(folder) }),
    close() {
      closed ??= close();
      return closed;
    },
  };
}

/** Bytes of the database and its log. */
async function sizeOf(folder: string): Promise<number> {
  const sizes = [DATABASE, LOG].map((name) =>
    stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Called with each commit: why SQLite's log cannot be written into the database. Logs when that begins and ends. */
function createLogGrowth(folder: string, log: Log): (problem: string | undefined) => void {
  let grows = false;
  return (problem) => {
    if (grows === (problem !== undefined)) return;
    grows = !grows;
    if (grows)
      log.error(
        { event: "store-log-grows", folder, err: problem },
        "the data folder's log (data.db-wal) cannot be written into its database (data.db), and grows; nothing is lost, and " +
          "it is tried again and again: look after the disk",
      );
    else log.info({ event: "store-log-written", folder }, "the data folder's log is written into its database again");
  };
}

/** Returns the id of the machine's boot; empty where the system has none. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
