/** Clients in processes of their own and a counter, all against one server; and what each of them has seen. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Carrier } from "../../../support/carrier.ts";
import type { ClientOptions } from "./client-process.ts";
import type { Count, Counter } from "./counter.ts";
import { type HistoryLine, readHistory } from "./history.ts";

export interface RunSize {
  /** What carries the calls. */
  readonly carrier: Carrier;
  readonly seed: number;
  readonly processes: number;
  /** Of each process. */
  readonly workers: number;
  /** Of all together. */
  readonly calls: number;
}

interface RunOptions extends RunSize {
  /** host:port */
  readonly address: string;
  readonly counter: Counter;
  /** For the histories, until they are read. */
  readonly folder: string;
}

export interface HistoryRun {
  readonly lines: readonly HistoryLine[];
  readonly calls: number;
  /** Of all so far. */
  readonly counts: readonly Count[];
}

const SCRIPT = fileURLToPath(new URL("client-process.ts", import.meta.url));

export async function runHistory(options: RunOptions): Promise<HistoryRun> {
  const { address, carrier, counter, folder, seed, processes, workers, calls } = options;
  const clients = Array.from({ length: processes }, (_, index) =>
    startClient({
      address,
      carrier,
      counter: counter.path,
      history: `${folder}/history-${index}.jsonl`,
      seed: seed + index * workers,
      workers,
      calls: Math.ceil(calls / processes),
    }),
  );
  try {
    await Promise.all(clients.map((client) => client.heard()));
    for (const { child } of clients) child.send("go");
    const done = await Promise.all(clients.map((client) => client.heard()));
    await Promise.all(clients.map((client) => client.exited));
    return {
      lines: clients.flatMap(({ history }) => readHistory(history)),
      calls: done.reduce<number>((sum, count) => sum + Number(count), 0),
      counts: await counter.take(),
    };
  } finally {
    for (const { child, history } of clients) {
      child.kill("SIGKILL");
      rmSync(history, { force: true });
    }
  }
}

interface Client {
  readonly child: ChildProcess;
  readonly history: string;
  /** What it says next; rejects if it ends before. */
  heard(): Promise<unknown>;
  readonly exited: Promise<void>;
}

function startClient(options: ClientOptions): Client {
  const child = fork(SCRIPT, [JSON.stringify(options)], { execArgv: [] });
  const exited = once(child, "exit").then(([code, signal]) => {
    if (code !== 0) throw new Error(`a client has ended with ${code ?? signal}`);
  });
  exited.catch(() => {});
  const ended = exited.then(() => {
    throw new Error("a client has ended before its time");
  });
  ended.catch(() => {});
  return {
    child,
    history: options.history,
    async heard() {
      const [message] = (await Promise.race([once(child, "message"), ended])) as [unknown];
      return message;
    },
    exited,
  };
}
