/** The main thread's side of one thread that carries connections. */

import { Worker } from "node:worker_threads";
import type { Log } from "../../log.ts";
import type { FromWorker, Question, ToWorker, WorkerJob } from "./messages.ts";

export interface WorkerThread {
  /** Rejects if it cannot be done, or the thread ends before. */
  ask(question: Question): Promise<unknown>;
  say(message: Exclude<ToWorker, { kind: "ask" }>): void;
  /** Ends it at once. Harmless to call twice. */
  terminate(): Promise<void>;
}

export interface WorkerThreadOptions {
  readonly job: WorkerJob;
  /** Writes the thread's lines. */
  readonly log: Log;
  /** Called once, when it has ended, for whatever reason. */
  readonly onEnd: (why: Error) => void;
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The sources run as they are, the package is compiled. */
const WORKER = new URL(
  import.meta.url.endsWith(".ts") ? "./transport-worker.ts" : "./transport-worker.js",
  import.meta.url,
);

/** Resolves when the thread can be asked; rejects if it ends before, after `onEnd`. */
export function startWorkerThread({ job, log, onEnd }: WorkerThreadOptions): Promise<WorkerThread> {
  const worker = new Worker(WORKER, {
    name: `transport ${job.index + 1}`,
    workerData: job,
    transferList: [job.link],
  });
  const asked = new Map<number, Asked>();
  const ready = Promise.withResolvers<WorkerThread>();
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
      case "log":
        log[message.level](message.fields, message.message);
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
    async terminate() {
      await worker.terminate();
    },
  };
  return ready.promise;
}
