/**
 * A client of the history check in a process of its own: some workers, each of which takes one turn after another until
 * all together have made as many calls as they should. What they have asked and heard is in the file at the end.
 */

import "../../../support/end-with-parent.ts";
import { appendFileSync } from "node:fs";
import { createDice } from "../../../server/machine/dice.ts";
import type { Carrier } from "../../../support/carrier.ts";
import { byCalls } from "./calls.ts";
import { connectLean } from "./connection.ts";
import { connectCounter } from "./counter.ts";
import type { HistoryLine } from "./history.ts";
import { bySession } from "./session.ts";
import { takeTurn } from "./turns.ts";
import { createWorker } from "./worker.ts";

export interface ClientOptions {
  /** host:port */
  readonly address: string;
  /** Of the counter's socket. */
  readonly counter: string;
  /** Where its history goes. */
  readonly history: string;
  readonly carrier: Carrier;
  readonly seed: number;
  readonly workers: number;
  readonly calls: number;
}

/** Lines that are written at once. */
const LINES = 1_000;

const options = JSON.parse(process.argv[2] ?? "") as ClientOptions;
const connections = await Promise.all([connectLean(options.address), connectLean(options.address)]);
const chances = createDice(options.seed);
const ways = await Promise.all(
  connections.map((connection) =>
    options.carrier === "streams" ? byCalls(connection) : bySession(connection, { keepOnCancel: chances.chance(50) }),
  ),
);
const counter = await connectCounter(options.counter);
let lines: string[] = [];
let calls = 0;

function record(line: HistoryLine): void {
  lines.push(JSON.stringify(line));
  if (lines.length === LINES) write();
}

function write(): void {
  appendFileSync(options.history, `${lines.join("\n")}\n`);
  lines = [];
}

async function work(number: number): Promise<void> {
  const dice = createDice(options.seed + number);
  const name = `${process.pid}.${number}`;
  const worker = createWorker({ name, ways, counter, dice, record, onCall: () => calls++ });
  while (calls < options.calls) await takeTurn(worker);
}

process.once("message", async () => {
  await Promise.all(Array.from({ length: options.workers }, (_, number) => work(number)));
  write();
  process.send?.(calls);
  for (const connection of connections) connection[Symbol.dispose]();
  counter[Symbol.dispose]();
  process.disconnect();
});
process.send?.("ready");
