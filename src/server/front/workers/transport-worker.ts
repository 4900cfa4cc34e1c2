/** A thread that carries connections: a front of its own, over a link to the engines in the main thread. */

import { parentPort, workerData } from "node:worker_threads";
import { fromBinary } from "@bufbuild/protobuf";
import { createSystemClock, nowOfAllThreads } from "../../clock.ts";
import { carryOver } from "../../engine/remote/port-carrier.ts";
import { createRemoteEngines } from "../../engine/remote/remote-engines.ts";
import { GetConfigResponseSchema } from "../../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { Redacted } from "../../redacted.ts";
import { createSystemRandom } from "../../tracing/random.ts";
import { createSpanBatches } from "../../tracing/span-batches.ts";
import { createTracer } from "../../tracing/tracer.ts";
import { createSharedPlaces } from "../../transport/port/connection-places.ts";
import type { ServerState } from "../front.ts";
import { createLocalFront } from "../local-front.ts";
import { createThreadMeter } from "../thread-meter.ts";
import type { WorkerFigures } from "./figures.ts";
import { watchHeap } from "./heap-watch.ts";
import { createRemoteLoad } from "./load-link.ts";
import type { FromWorker, Question, SentState, ToWorker, WorkerJob } from "./messages.ts";
import { createRemoteScraper } from "./scrape-link.ts";
import { createWorkerLog } from "./worker-log.ts";

const { link, secretKey, state, connections, memory, index, servesMetrics } = workerData as WorkerJob;
let { isDebugging } = state;
let { ratio } = state.settings.traces;
const { limiters, boards } = createRemoteEngines({ carrier: carryOver(link) });
const { maxConnections } = state.settings.limits;
const clock = createSystemClock();
const tracer =
  state.settings.traces.otlp &&
  createTracer({
    clock,
    random: createSystemRandom(),
    ratio: () => ratio,
    onSpan: createSpanBatches((batch) => post({ kind: "spans", batch })),
  });
const meter = createThreadMeter(clock);
const scraper = createRemoteScraper((format, port) => {
  parentPort?.postMessage({ kind: "scrape", format, port } satisfies FromWorker, [port]);
});
const load = createRemoteLoad((port) => {
  parentPort?.postMessage({ kind: "load", port } satisfies FromWorker, [port]);
});
const front = createLocalFront({
  clock,
  tracer,
  log: createWorkerLog(post, () => isDebugging),
  engine: limiters,
  boards,
  secretKey,
  places: {
    grpc: createSharedPlaces(maxConnections, connections.grpc, index),
    web: createSharedPlaces(maxConnections, connections.web, index),
  },
  state: received(state),
  shared: { memory, own: index, now: nowOfAllThreads },
  load,
  scraper: servesMetrics ? scraper : undefined,
});

parentPort?.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "ask":
      answer(message.question).then(
        (value) => post({ kind: "answer", id: message.id, value }),
        (error: Error) => post({ kind: "failed", id: message.id, message: error.message }),
      );
      break;
    case "show":
      isDebugging = message.state.isDebugging;
      ratio = message.state.settings.traces.ratio;
      front.show(received(message.state));
      break;
    case "drain":
      front.drain(message.endTime, message.waiterLeaves);
      break;
    case "close-ports":
      front.closePorts();
      break;
    case "end":
      void endSoon(0);
      break;
  }
});
process.on("uncaughtException", (thrown) => breakOff(thrown instanceof Error ? thrown : new Error(String(thrown))));
watchHeap(breakOff);
post({ kind: "ready" });

function breakOff(error: Error): void {
  post({ kind: "broken", error });
  void endSoon(1);
}

/** Ends this thread once it reads from no connection any more: see `WorkerThread.end`. */
async function endSoon(code: number): Promise<void> {
  await front.abandon();
  setImmediate(() => process.exit(code));
}

async function answer(question: Question): Promise<unknown> {
  switch (question.kind) {
    case "listen":
      return front.listen(question.at, question.isShared);
    case "are-you-there":
      return undefined;
    case "count-calls":
      return front.callsUnderWay();
    case "figures":
      return figures();
    case "send-away":
      return front.sendAway();
    case "close":
      return front.close();
  }
}

async function figures(): Promise<WorkerFigures> {
  const { calls, keys } = await front.figures();
  return { calls, keys, thread: meter.read() };
}

function received({ serving, settings, running, tls }: SentState): ServerState {
  return {
    serving,
    settings,
    running: fromBinary(GetConfigResponseSchema, running),
    tls: tls && { ...tls, key: new Redacted(tls.key) },
  };
}

function post(message: FromWorker): void {
  parentPort?.postMessage(message);
}
