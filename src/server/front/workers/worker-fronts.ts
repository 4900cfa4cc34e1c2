/** The front of a server with threads that carry connections: each is a front of its own on the same ports. */

import { MessageChannel, type MessagePort } from "node:worker_threads";
import { toBinary } from "@bufbuild/protobuf";
import { worstOf } from "../../auth/issuer-keys.ts";
import type { Clock } from "../../clock.ts";
import type { Engines } from "../../engine/remote/messages.ts";
import { carryOver } from "../../engine/remote/port-carrier.ts";
import { type ServedLink, serveLink } from "../../engine/remote/serve-link.ts";
import { GetConfigResponseSchema } from "../../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { ReadLoad } from "../../load.ts";
import type { Log } from "../../log.ts";
import type { ExpositionFormat, Scraper } from "../../scrape.ts";
import type { SpanBatch } from "../../tracing/span-batches.ts";
import { createPlaceMemory, giveBackPlaces, openOf } from "../../transport/port/connection-places.ts";
import { ensureFree } from "../../transport/port/port-sharing.ts";
import type { Front, FrontAddresses, FrontFigures, FrontListeners, ServerState } from "../front.ts";
import { createSharedMemory, forgetThread } from "../shared-memory.ts";
import { createCallSum, type WorkerFigures } from "./figures.ts";
import { serveLoad } from "./load-link.ts";
import type { Question, SentState, ToWorker } from "./messages.ts";
import { createRestarts } from "./restarts.ts";
import { serveScrape } from "./scrape-link.ts";
import { HANGS_AFTER, startWatchdog } from "./watchdog.ts";
import { startWorkerThread, threadName, type WorkerThread } from "./worker-thread.ts";

export interface WorkerFrontsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly engines: Engines;
  readonly secretKey: Uint8Array;
  readonly state: ServerState;
  /** How many threads. */
  readonly count: number;
  /** What the web port serves at `/metrics`; undefined: nothing. */
  readonly scraper: Scraper | undefined;
  /** What the services say that the server carries. */
  readonly load: ReadLoad;
  /** Takes the spans of their calls; unset: there are none. */
  readonly onSpans?: ((batch: SpanBatch) => void) | undefined;
  /** Called when threads fail again and again. */
  readonly onFatal: (message: string) => void;
}

/** µs for which a thread may end its connections before it is ended itself. */
const CLOSE_TIMEOUT = 5_000_000;
/** µs in which a thread may say what it has counted. */
const FIGURES_TIMEOUT = 1_000_000;

/** Resolves when all threads run; rejects, with none left, if one does not start. */
export async function startWorkerFronts(options: WorkerFrontsOptions): Promise<Front> {
  const { clock, log, engines, secretKey, count, scraper, load, onSpans = NOTHING, onFatal } = options;
  const connections = { grpc: createPlaceMemory(count), web: createPlaceMemory(count) };
  const memory = createSharedMemory(count);
  const restarts = createRestarts();
  const threads = new Set<WorkerThread>();
  /** What each thread has answered last, by its index, and what those have counted that have ended. */
  const answered = new Map<number, WorkerFigures>();
  const past = createCallSum();
  const indices = new WeakMap<WorkerThread, number>();
  const pauses = new Set<() => void>();
  let { state } = options;
  let listening: Extract<Question, { kind: "listen" }> | undefined;
  let drained: Extract<ToWorker, { kind: "drain" }> | undefined;
  /** From here on a thread that ends is not started anew. */
  let ending = false;
  /** Threads that hang, and are left where they are. */
  let hanging = 0;

  function sent(): SentState {
    const { serving, settings, running } = state;
    const tls = state.tls && { ...state.tls, key: state.tls.key.reveal() };
    const { isDebugging } = log;
    return { serving, settings, running: toBinary(GetConfigResponseSchema, running), tls, isDebugging };
  }

  async function start(index: number): Promise<WorkerThread> {
    const { port1, port2 } = new MessageChannel();
    let thread: WorkerThread | undefined;
    let stopWatching = () => {};
    /** It ends or hangs, whichever comes first. */
    let isLost = false;
    const lose = (replace: (lost: number) => void) => {
      if (isLost) return;
      isLost = true;
      stopWatching();
      link.lose();
      const counted = answered.get(index);
      if (counted !== undefined) past.addEnded(counted.calls);
      answered.delete(index);
      const lost = giveBackPlaces(connections.grpc, index) + giveBackPlaces(connections.web, index);
      forgetThread(memory, index);
      if (thread === undefined) return;
      threads.delete(thread);
      if (!ending) replace(lost);
    };
    const onHang = () => {
      thread?.leave();
      lose((lost) => replaceHanging(index, lost));
    };
    const link: ServedLink = serveLink({
      engines,
      carrier: carryOver(port1),
      clock,
      onLost: (why) => why !== "closed" && onHang(),
      onBug: (err) => log.error({ event: "engine-fault", err }, "a command has failed in the engine"),
    });
    const servesMetrics = scraper !== undefined;
    const job = { link: port2, secretKey, state: sent(), connections, memory, index, servesMetrics };
    const onEnd = (why: Error) => lose((lost) => replace(index, why, lost));
    const onScrape = (format: ExpositionFormat, port: MessagePort) => {
      if (scraper !== undefined) serveScrape(scraper, format, port);
    };
    const onLoad = (port: MessagePort) => serveLoad(load, port);
    thread = await startWorkerThread({ clock, job, log, onScrape, onLoad, onSpans, onEnd });
    indices.set(thread, index);
    threads.add(thread);
    const { ask } = thread;
    stopWatching = startWatchdog({ clock, ask: () => ask({ kind: "are-you-there" }), onHang });
    return thread;
  }

  /** Starts another thread in the place of one that has failed. */
  function replace(index: number, err: Error, lost: number): void {
    const pause = restarts.failed(clock.now());
    const worker = index + 1;
    if (pause === undefined) {
      log.error(
        { event: "worker-failed", err, worker, connections: lost },
        "a transport worker has failed, as others have before",
      );
      onFatal(`transport workers fail again and again; the last one with: ${err.message}`);
      return;
    }
    log.error(
      { event: "worker-failed", err, worker, connections: lost },
      "a transport worker has failed. Its connections are lost; their leases and places wait for their ttl, and clients that " +
        "connect again find them. Another worker is started",
    );
    startAfter(pause, index);
  }

  /**
   * The same of one that hangs. It is not ended: a thread that is ended from outside while it has connections takes the whole process with it
   * (`WorkerThread.end`).
   */
  function replaceHanging(index: number, lost: number): void {
    hanging += 1;
    const worker = index + 1;
    log.error(
      { event: "worker-stuck", worker, connections: lost },
      `a transport worker hangs: it has not answered for ${HANGS_AFTER / 1_000_000} s. The leases and places of its connections wait for their ` +
        "ttl, and clients that connect again find them. It keeps a core and a listener, so that some new connections are not " +
        "answered: restart the server soon, and report the bug",
    );
    if (hanging > 1 || count === 1) onFatal("transport workers hang, and cannot be ended while others go on");
    else startAfter(0, index);
  }

  function startAfter(pause: number, index: number): void {
    const cancel = clock.schedule(clock.now() + pause, false, () => {
      pauses.delete(cancel);
      start(index).then(
        (thread) => join(index, thread),
        (error: Error) => {
          if (!ending) replace(index, error, 0);
        },
      );
    });
    pauses.add(cancel);
  }

  /** Brings a thread that comes later to where the others are. */
  function join(index: number, thread: WorkerThread): void {
    if (ending || listening === undefined) {
      void thread.end();
      return;
    }
    if (drained !== undefined) thread.say(drained);
    thread.ask(listening).then(
      () =>
        log.info(
          { event: "worker-replaced", worker: index + 1 },
          "a transport worker has taken the place of the one that failed",
        ),
      (err: Error) => {
        log.error(
          { event: "worker-not-listening", err, worker: index + 1 },
          "a transport worker cannot listen, and is ended",
        );
        void thread.end();
      },
    );
  }

  /** Of a thread that fails meanwhile there is no answer. */
  async function askAll(question: Question): Promise<readonly unknown[]> {
    const answers = await Promise.allSettled([...threads].map((thread) => thread.ask(question)));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  async function figures(): Promise<FrontFigures> {
    const ask = async (thread: WorkerThread) => {
      const counted = (await thread.ask({ kind: "figures" })) as WorkerFigures;
      if (threads.has(thread)) answered.set(indices.get(thread) as number, counted);
    };
    await inTime(Promise.allSettled([...threads].map(ask)), FIGURES_TIMEOUT);
    const calls = createCallSum();
    calls.addEnded(past.read());
    for (const counted of answered.values()) calls.add(counted.calls);
    const byIndex = [...answered].sort(([a], [b]) => a - b);
    return {
      calls: calls.read(),
      connections: { grpc: openOf(connections.grpc), web: openOf(connections.web) },
      keys: worstOf(byIndex.flatMap(([, { keys }]) => keys)),
      threads: byIndex.map(([index, { thread }]) => [threadName(index), thread]),
    };
  }

  /** Resolves with the promise, or when so many µs have passed. */
  async function inTime(promise: Promise<unknown>, micros: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = clock.schedule(clock.now() + micros, false, late.resolve);
    await Promise.race([promise, late.promise]);
    cancel();
  }

  async function close(): Promise<void> {
    ending = true;
    for (const cancel of pauses) cancel();
    const all = [...threads];
    await inTime(askAll({ kind: "close" }), CLOSE_TIMEOUT);
    await Promise.all(all.map((thread) => thread.end()));
  }

  async function abandon(): Promise<void> {
    ending = true;
    for (const cancel of pauses) cancel();
    await Promise.all([...threads].map((thread) => thread.end()));
  }

  const starts = await Promise.allSettled(Array.from({ length: count }, (_, index) => start(index)));
  const failed = starts.find((one) => one.status === "rejected");
  if (failed !== undefined) {
    await close();
    throw new Error(`a transport worker does not start: ${failed.reason.message}`, { cause: failed.reason });
  }
  return {
    workers: count,
    async listen(at) {
      const isShared = count > 1;
      if (isShared) await Promise.all([ensureFree(at.grpc), ensureFree(at.web)]);
      const [first, ...others] = threads;
      const addresses = (await first?.ask({ kind: "listen", at, isShared })) as FrontAddresses;
      listening = { kind: "listen", at: withPorts(at, addresses), isShared };
      await Promise.all(others.map((thread) => thread.ask(listening as Question)));
      return addresses;
    },
    show(next) {
      state = next;
      const message = { kind: "show", state: sent() } as const;
      for (const thread of threads) thread.say(message);
    },
    drain(endTime, waiterLeaves) {
      drained = { kind: "drain", endTime, waiterLeaves };
      for (const thread of threads) thread.say(drained);
    },
    async callsUnderWay() {
      const counts = (await askAll({ kind: "count-calls" })) as readonly number[];
      return counts.reduce((sum, one) => sum + one, 0);
    },
    figures,
    async sendAway() {
      ending = true;
      await askAll({ kind: "send-away" });
    },
    closePorts() {
      ending = true;
      for (const thread of threads) thread.say({ kind: "close-ports" });
    },
    close,
    abandon,
  };
}

const NOTHING = () => {};

/** The ports that the first thread was given, where any would do. */
function withPorts(at: FrontListeners, { grpc, web }: FrontAddresses): FrontListeners {
  const fixed = (address: string, port: number) => `${address.slice(0, address.lastIndexOf(":"))}:${port}`;
  return { grpc: fixed(at.grpc, grpc.port), web: fixed(at.web, web.port) };
}
