/** A start on a data folder with 450,000 keys: how long it takes, how much memory it takes, and what an idle key costs. */

import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Limiter } from "../src/client/index.ts";
import type { Change } from "../src/server/machine/limiter/command.ts";
import { createInstance, createLimiter } from "../src/server/machine/limiter/limiter.ts";
import { type Kept, toKept } from "../src/server/store/records/to-kept.ts";
import { openStoreFile } from "../src/server/store/sqlite/file.ts";
import { amountOf, limiterOf } from "../test/support/limiter-config.ts";
import { startMeasured } from "./servers/measured.ts";
import { inTurns } from "./support/in-turns.ts";
import { atMost, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const KEYS = 450_000;
const LIMITER = "limiters: [{ name: api, keyed: true, max_keys: 1000000, rate: 10/h, burst_size: 10 }]\n";
const ROWS_A_COMMIT = 5_000;

await using cleanup = new AsyncDisposableStack();
const base = mkdtempSync(join(tmpdir(), "backpressure-bench-"));
cleanup.defer(() => rmSync(base, { recursive: true }));

/** Writes a folder as a server leaves it of which so many keys have spent something. */
function writeFolder(keys: number): string {
  const folder = join(base, `of-${keys}`);
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const options = { folder, boot, leases: "process", acceptLoss: false, maxMegabytes: 4_096 } as const;
  const file = openStoreFile(options, { take() {}, again() {} });
  const config = limiterOf({ name: "api", keyed: true, maxKeys: 1_000_000, rate: amountOf(10, 3_600_000_000, 10) });
  const limiter = createLimiter({ config, declaration: config, fencingToken: 0 }, 0);
  const zero = { epoch: 0, ranBefore: 0 };
  const rowOf = (change: Change) => (toKept(change, zero) as Kept).row;
  let rows = [rowOf({ kind: "limiter-put", limiter })];
  for (let i = 0; i < keys; i++) {
    const instance = createInstance(limiter, `customer-${String(i).padStart(8, "0")}`, i);
    Object.assign(instance.bucket, { tokens: 3, parts: 1_234_567 });
    rows.push(rowOf({ kind: "tokens-spent", instance }));
    if (rows.length < ROWS_A_COMMIT) continue;
    file.commit(rows, "process");
    rows = [];
  }
  file.commit([...rows, { key: "store:running-time", body: String(keys) }], "process");
  file.close();
  return folder;
}

interface Start {
  /** s until it serves. */
  readonly took: number;
  /** s of CPU until then, of all threads. */
  readonly cpu: number;
  /** MB. */
  readonly peak: number;
  /** Bytes. */
  readonly heap: number;
}

async function start(from: string, keys: number): Promise<Start> {
  const folder = join(base, "running");
  rmSync(folder, { recursive: true, force: true });
  cpSync(from, folder, { recursive: true });
  const began = performance.now();
  await using server = await startMeasured(`store: { folder: ${folder}, max_megabytes: 4096 }\n${LIMITER}`);
  const took = (performance.now() - began) / 1_000;
  const { cpu, peakRss } = await server.usage();
  await using client = connect(server.address);
  const { status } = (await client.limiters.get("api")) as Limiter;
  if (status.keys !== keys) throw new Error(`${status.keys} of ${keys} keys are there`);
  const { heap } = await server.usageCollected();
  return { took, cpu: cpu / 1e6, peak: peakRss / 1e6, heap };
}

const folders = { none: writeFolder(0), many: writeFolder(KEYS) };
const starts: Record<keyof typeof folders, Start[]> = { none: [], many: [] };

function side(which: keyof typeof folders) {
  return async () => {
    const one = await start(folders[which], which === "many" ? KEYS : 0);
    starts[which].push(one);
    return one.took;
  };
}

await inTurns({ none: side("none"), many: side("many") }, { rounds: 5, warmUp: 0 });
const [none, many] = [starts.none, starts.many];
const of = (all: readonly Start[], what: keyof Start) => all.map((one) => one[what]);

report({
  name: "start",
  figures: [
    { what: "start with an empty folder", unit: "s", spread: spreadOf(of(none, "took")) },
    { what: "start with 450,000 keys", unit: "s", spread: spreadOf(of(many, "took")), target: atMost(3) },
    { what: "— CPU of all threads", unit: "s", spread: spreadOf(of(many, "cpu")) },
    { what: "— CPU, to the empty folder's", unit: "×", spread: ratioOf(of(many, "cpu"), of(none, "cpu")) },
    { what: "— most memory (RSS)", unit: "MB", spread: spreadOf(of(many, "peak")), target: atMost(1_000) },
    {
      what: "heap of an idle key",
      unit: "bytes",
      spread: spreadOf(many.map(({ heap }, i) => (heap - (none[i] as Start).heap) / KEYS)),
      target: atMost(400),
    },
  ],
  notes: [
    "Each key has spent 7 of 10 tokens at 10 an hour; the heap is that of the server's thread, after a collection.",
  ],
});
