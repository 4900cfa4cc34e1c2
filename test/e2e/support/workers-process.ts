/**
 * Workers in a process of their own: `workers` of them acquire one permit of `limiter` with its slot, `rounds` times. At
 * work, each tells the counter in the parent process, and does not stop before that has counted it out again.
 */

import "../../support/end-with-parent.ts";
import { giveBack, hold } from "../../support/acquire.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import type { WorkerNews } from "./work-counter.ts";

const [address = "", limiter = "", workers = "", rounds = ""] = process.argv.slice(2);
const answers = new Map<string, () => void>();

process.on("message", (id: string) => answers.get(id)?.());

function tell(news: WorkerNews): Promise<void> {
  return new Promise((resolve) => {
    answers.set(news.id, resolve);
    process.send?.(news);
  });
}

async function work(worker: number): Promise<void> {
  await using client = createGrpcClient(address);
  for (let round = 0; round < Number(rounds); round += 1) {
    const id = `${worker}.${round}`;
    const call = await hold(client, { claims: [{ limiter, slots: true }] });
    const [claim] = call.granted.lease?.claims ?? [];
    await tell({ kind: "enter", id, slot: claim?.slots[0] ?? -1, fencingToken: String(claim?.fencingToken) });
    await tell({ kind: "leave", id });
    if (round % 2 === 0) call.cancel();
    else await giveBack(client, call);
  }
}

await Promise.all(Array.from({ length: Number(workers) }, (_, worker) => work(worker)));
process.disconnect();
