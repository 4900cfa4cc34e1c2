/**
 * Workers of one stage in a process of their own, with the client of this package, until the parent is gone or says stop. Tells the
 * parent of each card that it begins: `Begun`.
 */

import "../../support/end-with-parent.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../../src/client/index.ts";

export interface Begun {
  readonly id: string;
  readonly stage: string;
  readonly token: string;
}

const [address = "", board = "", stage = "", concurrency = ""] = process.argv.slice(2);
const stop = new AbortController();
process.on("message", () => stop.abort());

await using client = connect(address, { answerWithin: 30_000, holder: `${stage} ${process.pid}` });
const loop = client.board(board).work(
  stage,
  async (card, signal, { fencingToken }) => {
    process.send?.({ id: card.id, stage, token: `${fencingToken}` } satisfies Begun);
    // Now and then it outlasts a restart of the server.
    await sleep(Math.random() < 0.1 ? 1_500 : Math.random() * 20, undefined, { signal });
    const done: readonly unknown[] = card.result === "" ? [] : JSON.parse(card.result);
    return [...done, { stage, token: `${fencingToken}`, attempt: card.attempt }];
  },
  { concurrency: Number(concurrency), signal: stop.signal, onError: () => {} },
);
await loop.stopped;
process.disconnect();
