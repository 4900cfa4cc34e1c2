/** The thread that parses and checks a changed configuration: seconds of work for a file of thousands of limiters. */

import { parentPort, workerData } from "node:worker_threads";
import { parseConfig } from "../config.ts";
import { type FromParser, HANDED_OVER_AT_ONCE, type ParseJob } from "./messages.ts";

const { text, origin } = workerData as ParseJob;
const messages = tell();
parentPort?.on("message", () => {
  const { value } = messages.next();
  if (value !== undefined) parentPort?.postMessage(value);
});

function* tell(): Generator<FromParser, undefined> {
  const reading = parseConfig(text, origin);
  if (reading.kind === "invalid") {
    yield reading;
    return;
  }
  const { origin: _origin, text: _text, limiters, boards, ...rest } = reading;
  yield rest;
  for (const slice of slicesOf(limiters)) yield { kind: "limiters", limiters: slice };
  for (const slice of slicesOf(boards)) yield { kind: "boards", boards: slice };
  yield { kind: "end" };
}

function* slicesOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let next = 0; next < items.length; next += HANDED_OVER_AT_ONCE)
    yield items.slice(next, next + HANDED_OVER_AT_ONCE);
}
