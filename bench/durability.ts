/** What it costs that leases outlive the process, or a loss of power: TryAcquire and Release against the same in memory. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runClosed } from "./load/arrivals.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs } from "./load/verbs.ts";
import { type MeasuredServer, pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";

const CONNECTIONS = 4;
const FEW = 64;
const MANY = 512;
/** ms of one side in one round. */
const SHARE = 2_000;
const TURNS = { rounds: 9, warmUp: 2 };
const LIMITER = "limiters: [{ name: db, max_concurrent: 1000 }]\n";

await using cleanup = new AsyncDisposableStack();

async function serve(leases?: "process" | "disk"): Promise<MeasuredServer> {
  if (leases === undefined) return cleanup.use(await startMeasured(LIMITER));
  const folder = mkdtempSync(join(tmpdir(), "backpressure-bench-"));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  return cleanup.use(await startMeasured(`store: { folder: ${folder}, leases: ${leases} }\n${LIMITER}`));
}

/** Pairs a second. */
async function pairsOf(server: MeasuredServer, inFlight: number): Promise<Side> {
  const options = { address: server.address, clients: CONNECTIONS, limiter: "db", ...ONE_LIMITER };
  const work = cleanup.use(await pairs(options));
  return async () => {
    const { operations, took } = await runClosed(work, { inFlight, duration: SHARE, warmUp: 0 });
    return (operations * 1000) / took;
  };
}

pinLoad();
const [memory, process, disk] = [await serve(), await serve("process"), await serve("disk")];
const few = await inTurns(
  {
    memory: await pairsOf(memory, FEW),
    process: await pairsOf(process, FEW),
    disk: await pairsOf(disk, FEW),
  },
  TURNS,
);
const many = await inTurns(
  {
    memory: await pairsOf(memory, MANY),
    process: await pairsOf(process, MANY),
    disk: await pairsOf(disk, MANY),
  },
  TURNS,
);

report({
  name: "durability",
  figures: [
    { what: `pairs in memory alone, ${FEW} callers`, unit: "/s", spread: spreadOf(few.memory) },
    { what: "— process, to that", unit: "×", spread: ratioOf(few.process, few.memory), target: atLeast(0.8) },
    { what: "— disk, to that", unit: "×", spread: ratioOf(few.disk, few.memory) },
    { what: `pairs in memory alone, ${MANY} callers`, unit: "/s", spread: spreadOf(many.memory) },
    { what: "— process, to that", unit: "×", spread: ratioOf(many.process, many.memory) },
    { what: "— disk, to that", unit: "×", spread: ratioOf(many.disk, many.memory), target: atLeast(0.5) },
  ],
  notes: [`${SHARE / 1000} s a round and side over ${CONNECTIONS} connections; ${pinning()}. A pair is two calls.`],
});
