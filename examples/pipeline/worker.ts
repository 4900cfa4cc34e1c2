/**
 * One worker of a pipeline: it pulls orders into one stage of the board, works on them, and finishes them, so that the next
 * stage can pull them. Where the next stage does not, this one fills up and pulls nothing more.
 */

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Card, connect, type Work, type WorkHandler } from "ggen-backpressure";

/** What is ordered: the card's data. */
interface Order {
  readonly items: readonly { readonly price: number; readonly weight: number }[];
}

/** What the stages have made of it so far: the card's result, which each hands on to the next. */
interface Progress {
  readonly total: number;
  readonly weight: number;
  readonly parcels?: number;
}

/** kg that a parcel may weigh. */
const MAX_WEIGHT = 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    address: { type: "string", default: "localhost:50051" },
    /** Orders at once. */
    concurrency: { type: "string", default: "1" },
    /** ms that the work on one order takes. */
    pace: { type: "string", default: "200" },
  },
});

const STEPS: Readonly<Record<string, (card: Card, work: Work) => unknown>> = {
  Price: ({ data }) => {
    const { items } = JSON.parse(data) as Order;
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
    return { total: sum(items.map(({ price }) => price)), weight: sum(items.map(({ weight }) => weight)) };
  },

  Pack: (card) => {
    const progress = progressOf(card);
    // Sent back by the next stage, which has said why.
    const again = card.reason !== "";
    return { ...progress, parcels: again ? Math.ceil(progress.weight / MAX_WEIGHT) : 1 };
  },

  Ship: (card, work) => {
    const progress = progressOf(card);
    const { weight, parcels = 1 } = progress;
    if (weight / parcels > MAX_WEIGHT) return work.sendBack(`${weight} kg are too much for ${parcels} parcel`);
    // The carrier keeps the highest number that it has seen for an order, so that a worker that was too slow ships nothing twice.
    return { ...progress, label: `${card.id} under ${work.fencingToken}` };
  },
};

const [stage = ""] = positionals;
const step = STEPS[stage];
if (step === undefined) throw new Error(`which stage? ${Object.keys(STEPS).join(", ")}`);

// Stopping, it pulls nothing more and finishes what it has begun.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

const work: WorkHandler = async (card, signal, held) => {
  console.log(`${stage}: ${card.id}${card.reason && ` again: ${card.reason}`}`);
  // It aborts when the order is lost to another worker.
  await sleep(Number(values.pace), undefined, { signal });
  return step(card, held);
};

// As the command line has them: for a server that speaks TLS and asks who calls.
const {
  BACKPRESSURE_CA_FILE: caFile,
  BACKPRESSURE_CERT_FILE: certFile,
  BACKPRESSURE_KEY_FILE: keyFile,
  BACKPRESSURE_TOKEN_FILE: tokenFile,
} = process.env;
await using client = connect(values.address, {
  holder: `${stage} ${process.pid}`,
  tls: caFile || certFile ? { caFile, certFile, keyFile } : undefined,
  token: tokenFile ? async () => (await readFile(tokenFile, "utf8")).trim() : undefined,
});
const loop = client.board("orders").work(stage, work, {
  concurrency: Number(values.concurrency),
  signal: stop.signal,
  onError: (error, card) => console.error(`${stage}: ${card?.id ?? "no order"}: ${error}`),
});
await loop.stopped;

function progressOf({ result }: Card): Progress {
  return JSON.parse(result) as Progress;
}
