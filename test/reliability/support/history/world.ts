/** A server with a data folder, as it is or with a bug, and a counter beside it; clients come and go. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServerProcess } from "../../../support/server-process.ts";
import { type Bug, withBugs } from "../bug.ts";
import { startCounter } from "./counter.ts";
import { LIMITERS_YAML } from "./limiters.ts";
import { type HistoryRun, type RunSize, runHistory } from "./run-history.ts";

export interface World extends AsyncDisposable {
  readonly server: ServerProcess;
  run(size: RunSize): Promise<HistoryRun>;
}

/** `workers`: its transport workers. */
export async function startWorld(workers: number, bug?: Bug): Promise<World> {
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "backpressure-history-"));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  const store = `store: { folder: ${folder}/data, leases: process }\n`;
  const yaml = `workers: ${workers}\n${store}${LIMITERS_YAML}logging: { level: error }\n`;
  const server = cleanup.use(await startServerProcess(yaml, { nodeArguments: withBugs(bug ? [bug] : []) }));
  const counter = cleanup.use(await startCounter(folder));
  const own = cleanup.move();
  return {
    server,
    run: (size) => runHistory({ address: server.address, counter, folder, ...size }),
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}
