/** When operations begin: as soon as an earlier one has ended, or at instants that nothing but a schedule decides. */

import { createLatencyRecorder, type Latency } from "./latency.ts";

/** What is asked again and again. */
export interface Work extends AsyncDisposable {
  /** Decisions of the server in one operation. */
  readonly decisions: number;
  /** Begins an operation; calls back once, with how it went. */
  begin(ended: (how: Ending) => void): void;
}

/** `refused` is an answer, too. */
export type Ending = "done" | "refused" | "failed";

export interface Outcome {
  readonly operations: number;
  readonly refused: number;
  readonly failed: number;
  /** ms from the end of the warm-up to the end of the last operation. */
  readonly took: number;
  /** A closed loop's latency leaves out what would have been asked while it waited; an open loop's counts from the schedule. */
  readonly latency: Latency | undefined;
  /** Operations of an open loop that could not begin before the end: it asked for more than was answered. */
  readonly behind: number;
}

interface Span {
  /** ms. */
  readonly duration: number;
  /** ms before it, which are not counted. */
  readonly warmUp: number;
}

export interface ClosedLoop extends Span {
  /** Operations under way at any time. */
  readonly inFlight: number;
}

export interface OpenLoop extends Span {
  /** Operations that begin in a second. */
  readonly rate: number;
  /** `even`: always the same gap; `random`: gaps of a Poisson process, as of many independent clients. */
  readonly arrivals: "even" | "random";
  /** Operations under way at most; what is due beyond that begins late, and its latency counts from when it was due. */
  readonly mostInFlight: number;
}

/** Keeps so many operations under way for the time, and measures those that began in it, to the end of the last. */
export function runClosed(work: Work, { inFlight, duration, warmUp }: ClosedLoop): Promise<Outcome> {
  const tally = createTally();
  const begun = performance.now();
  const from = begun + warmUp;
  const until = from + duration;
  let running = inFlight;
  return new Promise((resolve) => {
    const next = () => {
      const started = performance.now();
      if (started >= until) {
        running -= 1;
        if (running === 0) resolve(tally.outcome({ took: performance.now() - from, behind: 0 }));
        return;
      }
      work.begin((how) => {
        if (started >= from) tally.count(how, performance.now() - started);
        // A server that refuses connections must not be asked in a loop without end within one turn.
        if (how === "failed") setTimeout(next, 10);
        else next();
      });
    };
    for (let i = 0; i < inFlight; i += 1) next();
  });
}

/** Begins operations by a schedule, whether earlier ones have ended or not, and measures those that were due in the time. */
export function runOpen(work: Work, loop: OpenLoop): Promise<Outcome> {
  const { rate, arrivals, duration, warmUp, mostInFlight } = loop;
  const mean = 1_000 / rate;
  const gap = arrivals === "even" ? () => mean : () => -mean * Math.log(1 - Math.random());
  const tally = createTally();
  const begun = performance.now();
  const from = begun + warmUp;
  const until = from + duration;
  let due = begun;
  let underWay = 0;
  let behind = 0;
  return new Promise((resolve) => {
    const begin = (intended: number) => {
      underWay += 1;
      work.begin((how) => {
        underWay -= 1;
        if (intended >= from) tally.count(how, performance.now() - intended);
        if (due >= until && underWay === 0) resolve(tally.outcome({ took: performance.now() - from, behind }));
      });
    };
    const look = () => {
      const now = performance.now();
      while (due <= now && due < until && underWay < mostInFlight) {
        begin(due);
        due += gap();
      }
      if (now >= until) {
        behind = Math.max(0, Math.ceil((until - due) / mean));
        due = until;
        if (underWay === 0) resolve(tally.outcome({ took: performance.now() - from, behind }));
        return;
      }
      // Timers count in whole milliseconds: what is due sooner is looked for in each turn of the event loop.
      const left = Math.min(due, until) - now;
      if (left > 2) setTimeout(look, left - 1);
      else setImmediate(look);
    };
    look();
  });
}

function createTally() {
  const latency = createLatencyRecorder();
  const counts: Record<Ending, number> = { done: 0, refused: 0, failed: 0 };
  return {
    count(how: Ending, ms: number): void {
      counts[how] += 1;
      if (how !== "failed") latency.record(ms);
    },
    outcome({ took, behind }: Pick<Outcome, "took" | "behind">): Outcome {
      const { done, refused, failed } = counts;
      const any = done + refused > 0;
      return {
        operations: done + refused,
        refused,
        failed,
        took,
        behind,
        latency: any ? latency.summary() : undefined,
      };
    },
  };
}
