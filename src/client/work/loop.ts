/** The loop of a worker: pull, work, finish, again. */

import {
  AdmissionError,
  ClientClosedError,
  ServerError,
  ServerUnavailableError,
  type StatusCode,
} from "../api/errors.ts";
import type { PullOptions, Work } from "../api/work.ts";
import { requireConcurrency, type WorkHandler, type WorkLoop, type WorkLoopOptions } from "../api/work-loop.ts";
import type { Clock } from "../rpc/clock.ts";
import { linkSignals } from "../rpc/linked-signal.ts";
import { notify } from "../rpc/notify.ts";
import type { Random } from "../rpc/random.ts";
import { createBackoff } from "../rpc/retry.ts";
import { type AttemptPorts, rest, workOn } from "./attempt.ts";

interface LoopParts {
  readonly pull: (options: PullOptions) => Promise<Work>;
  readonly handler: WorkHandler;
  readonly options: WorkLoopOptions;
}

/** ms for handlers to wind down once they have been asked to stop. */
const WIND_DOWN = 1000;
/** ms; a server that is back is found again within this time, however long it was away. */
const LONGEST_AWAY = 15_000;

/**
 * One pull waits at a time, however many cards the loop may work on: a worker has one place in the queue, and its
 * own delays hold back what it asks for next.
 */
export function startWorkLoop(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  { pull, handler, options }: LoopParts,
): WorkLoop {
  const concurrency = requireConcurrency(options);
  const { worker, ttl, signal, onError } = options;
  const { initialDelay = 1000, maxDelay = 60_000 } = options.backoff ?? {};
  const delayAfter = createBackoff(random, { initialDelay, maxDelay });
  const stopping = new AbortController();
  const hurrying = new AbortController();
  const givingUp = new AbortController();
  const attempt: AttemptPorts = {
    clock,
    handler,
    onError,
    delayAfter,
    stopping: stopping.signal,
    hurrying: hurrying.signal,
    givingUp: givingUp.signal,
  };
  const timers = new Set<() => void>();
  let running = 0;
  /** In a row, of pulls. */
  let failures = 0;
  /** In a row, of cards. */
  let setbacks = 0;
  let onPlace = () => {};

  async function run(): Promise<void> {
    try {
      while (!stopping.signal.aborted) {
        if (running === concurrency) await nextPlace();
        else await workOnNext();
      }
    } finally {
      // What cannot go on stops as if it had been asked to.
      if (!stopping.signal.aborted) halt();
      while (running > 0) await nextPlace();
      signal?.removeEventListener("abort", onAbort);
      for (const cancel of timers) cancel();
    }
  }

  async function workOnNext(): Promise<void> {
    const { signal: unwanted, unlink } = linkSignals(stopping.signal);
    try {
      const work = await pull({ worker, ttl, signal: unwanted });
      // From here on stopping leaves the card its time; before, it has given the card back.
      unlink();
      failures = 0;
      if (stopping.signal.aborted) await work[Symbol.asyncDispose]();
      else void occupyPlace(work);
    } catch (error) {
      unlink();
      if (stopping.signal.aborted) return;
      if (error instanceof ClientClosedError) halt();
      else if (mayPass(error)) await retryLater(error);
      else throw error;
    }
  }

  async function retryLater(error: unknown): Promise<void> {
    notify((thrown: unknown) => onError?.(thrown, undefined), error);
    failures += 1;
    const asked = error instanceof AdmissionError ? (error.retryAfterMs ?? 0) : 0;
    await rest(clock, Math.max(asked, Math.min(LONGEST_AWAY, delayAfter(failures))), stopping.signal);
  }

  async function occupyPlace(work: Work): Promise<void> {
    running += 1;
    if ((await workOn(attempt, work)) === "done") {
      setbacks = 0;
    } else {
      setbacks += 1;
      await rest(clock, delayAfter(setbacks), stopping.signal);
    }
    running -= 1;
    onPlace();
  }

  function nextPlace(): Promise<void> {
    return new Promise((resolve) => {
      onPlace = resolve;
    });
  }

  function halt(grace = options.grace): void {
    stopping.abort(new Error("the loop is stopping"));
    if (grace !== undefined && running > 0) timers.add(clock.schedule(grace, hurry));
  }

  function hurry(): void {
    hurrying.abort(new Error("the loop has stopped, and its handlers have had their time"));
    timers.add(clock.schedule(WIND_DOWN, () => givingUp.abort()));
  }

  function stop({ grace }: { readonly grace?: number | undefined } = {}): Promise<void> {
    halt(grace);
    return stopped;
  }

  const onAbort = () => halt();
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) halt();
  const stopped = run();
  return { stopped, stop, [Symbol.asyncDispose]: () => stop() };
}

/** What goes away by itself, if one waits long enough. */
const PASSING_CODES: ReadonlySet<StatusCode> = new Set([
  "RESOURCE_EXHAUSTED",
  "UNAVAILABLE",
  "ABORTED",
  "DEADLINE_EXCEEDED",
  "INTERNAL",
]);

function mayPass(error: unknown): boolean {
  if (error instanceof ServerUnavailableError) return true;
  return (error instanceof AdmissionError || error instanceof ServerError) && PASSING_CODES.has(error.code);
}
