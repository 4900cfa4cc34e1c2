/**
 * A worker in a process of its own: it pulls cards into one stage, one after the other, and does with each what the
 * foreman in the parent process says. At work, it does not stop before the foreman has counted it out again.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { finish, giveBack, sendBack, type Work, work } from "../../support/board.ts";
import { CallFailure, Code } from "../../support/call-failure.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";

/** What a worker does with its card. */
export type Fate =
  | "finish"
  /** Is killed while it works. */
  | "crash"
  /** Says that the card is finished, and is killed before it hears an answer. */
  | "finish-and-crash"
  /** Stops reading and does nothing, until it is woken; then it finishes, too late. */
  | "vanish"
  /** Ends its stream. */
  | "cancel"
  | "give-back"
  | "send-back";

/** From the worker. */
export type WorkerNews =
  | { readonly kind: "ready" }
  | { readonly kind: "working"; readonly cardId: string; readonly fencingToken: string }
  | { readonly kind: "leaving" }
  /** `refusal`: the reason why nothing has come of it; empty: it is done. */
  | { readonly kind: "concluded"; readonly refusal: string };

/** To the worker, an answer to each piece of news but the last. */
export type Order =
  | { readonly kind: "go on" }
  /** `work` in ms. */
  | { readonly kind: "work"; readonly work: number; readonly fate: Fate };

const [address = "", stage = "", worker = ""] = process.argv.slice(2);

let hear: (order: Order) => void = () => {};
process.on("message", (order: Order) => hear(order));
// The foreman has gone, or wants no more.
process.on("disconnect", () => process.exit());

function tell(news: WorkerNews): Promise<Order> {
  const { promise, resolve } = Promise.withResolvers<Order>();
  hear = resolve;
  process.send?.(news);
  return promise;
}

await using client = createGrpcClient(address);

/** Tries again as long as the connection breaks, which says nothing about the card. */
async function persist<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof CallFailure && error.code === Code.Unavailable)) throw error;
    }
  }
}

/** The reason of a refusal; empty: there was none. */
function refusalOf(attempt: () => Promise<unknown>): Promise<string> {
  return persist(attempt).then(
    () => "",
    (error: unknown) => {
      if (error instanceof CallFailure) return error.reason;
      throw error;
    },
  );
}

function conclude(fate: Fate, card: Work): Promise<string> {
  const result = `${worker} under ${card.fencingToken}`;
  switch (fate) {
    case "crash":
      process.kill(process.pid, "SIGKILL");
      return new Promise(() => {});
    case "finish-and-crash":
      finish(client, card, result).catch(() => {});
      setImmediate(() => process.kill(process.pid, "SIGKILL"));
      return new Promise(() => {});
    case "vanish":
      process.kill(process.pid, "SIGSTOP");
      return refusalOf(() => finish(client, card, "stale"));
    case "cancel":
      card.cancel();
      return Promise.resolve("");
    case "finish":
      return refusalOf(() => finish(client, card, result));
    case "give-back":
      return refusalOf(() => giveBack(client, card));
    case "send-back":
      return refusalOf(() => sendBack(client, card));
  }
}

await tell({ kind: "ready" });
for (;;) {
  const card = await persist(() => work(client, { stage, worker }));
  const order = await tell({ kind: "working", cardId: card.cardId, fencingToken: String(card.fencingToken) });
  if (order.kind !== "work") throw new Error("what to do with the card?");
  await sleep(order.work);
  if (order.fate !== "crash") await tell({ kind: "leaving" });
  const refusal = await conclude(order.fate, card);
  await tell({ kind: "concluded", refusal });
}
