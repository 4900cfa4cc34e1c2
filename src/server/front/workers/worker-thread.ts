/** The main thread's side of one thread that carries connections. */

import { type MessagePort, Worker } from "node:worker_threads";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { ExpositionFormat } from "../../scrape.ts";
import type { SpanBatch } from "../../tracing/span-batches.ts";
import type { FromWorker, Question, ToWorker, WorkerJob } from "./messages.ts";

export interface WorkerThread {
  /** Rejects if it cannot be done, or the thread ends before. */
  ask(question: Question): Promise<unknown>;
  say(message: Exclude<ToWorker, { kind: "ask" | "end" }>): void;
  /** Ends it, and all that it carries. Harmless to call twice. */
  end(): Promise<void>;
  /** Leaves one that hangs where it is: it ends by itself if it ever comes back, and keeps no process alive. */
  leave(): void;
}

export interface WorkerThreadOptions {
  readonly clock: Clock;
  readonly job: WorkerJob;
  /** Writes the thread's lines. */
  readonly log: Log;
  /** Somebody reads metrics over it. */
  readonly onScrape: (format: ExpositionFormat, port: MessagePort) => void;
  /** Somebody asks over it what the server carries. */
  readonly onLoad: (port: MessagePort) => void;
  /** Takes the spans of its calls. */
  readonly onSpans: (batch: SpanBatch) => void;
  /** Called once, when it has ended, for whatever reason. */
  readonly onEnd: (why: Error) => void;
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** µs for a thread to end itself, after which it is ended wherever it is. */
const END_TIMEOUT = 1_000_000;

/** The sources run as they are, the package is compiled. */
const WORKER = new URL(
  import.meta.url.endsWith(".ts") ? "./transport-worker.ts" : "./transport-worker.js",
  import.meta.url,
);

/** As the thread is called, by its index. */
export function threadName(index: number): string {
  return `transport ${index + 1}`;
}

/** Resolves when the thread can be asked; rejects if it ends before, after `onEnd`. */
export function startWorkerThread({
  clock,
  job,
  log,
  onScrape,
  onLoad,
  onSpans,
  onEnd,
}: WorkerThreadOptions): Promise<WorkerThread> {
  const worker = new Worker(WORKER, {
    name: threadName(job.index),
    workerData: job,
    transferList: [job.link],
  });
  const asked = new Map<number, Asked>();
  const ready = Promise.withResolvers<WorkerThread>();
  const exited = Promise.withResolvers<void>();
  let lastId = 0;
  let why: Error | undefined;
  let ended = false;

  worker.on("message", (message: FromWorker) => {
    switch (message.kind) {
      case "ready":
        ready.resolve(thread);
        break;
      case "answer":
        take(message.id)?.resolve(message.value);
        break;
      case "failed":
        take(message.id)?.reject(new Error(message.message));
        break;
      case "broken":
        why = message.error;
        break;
      case "scrape":
        onScrape(message.format, message.port);
        break;
      case "load":
        onLoad(message.port);
        break;
      case "log":
        log[message.level](message.fields, message.message);
        break;
      case "spans":
        onSpans(message.batch);
        break;
    }
  });
  worker.on("error", (error) => {
    why = error instanceof Error ? error : new Error(String(error));
  });
  worker.on("exit", (code) => {
    ended = true;
    const reason = why ?? new Error(`it has ended with ${code}`);
    for (const { reject } of asked.values()) reject(reason);
    asked.clear();
    onEnd(reason);
    ready.reject(reason);
    exited.resolve();
  });

  function take(id: number): Asked | undefined {
    const one = asked.get(id);
    asked.delete(id);
    return one;
  }

  const post = (message: ToWorker) => worker.postMessage(message);
  const thread: WorkerThread = {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (ended) {
          reject(why ?? new Error("it has ended"));
          return;
        }
        lastId += 1;
        asked.set(lastId, { resolve, reject });
        post({ kind: "ask", id: lastId, question });
      }),
    say: post,
    /**
     * A thread that is ended while it still reads from HTTP/2 connections may take the whole process with it: no JavaScript hears
     * of the headers of a request any more, and when its data comes Node fails an assertion. So the thread first ends its
     * connections, and then itself; only one that does not is ended from outside.
     */
    async end() {
      if (ended) return;
      post({ kind: "end" });
      const cancel = clock.schedule(clock.now() + END_TIMEOUT, false, () => void worker.terminate());
      await exited.promise;
      cancel();
    },
    leave() {
      post({ kind: "end" });
      worker.unref();
    },
  };
  return ready.promise;
}
