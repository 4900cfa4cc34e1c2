/** The real engine on the simulated disk, which crashes and starts again; connections break with it. */

import type { Clock } from "../../../../src/server/clock.ts";
import { createEmbeddedEngine, type EmbeddedEngine } from "../../../../src/server/engine/embedded/embedded-engine.ts";
import type { AnswerTo, Ask, StreamNews } from "../../../../src/server/engine/engine.ts";
import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import type { State } from "../../../../src/server/machine/limiter/state.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import type { Disk } from "./disk.ts";
import type { Ledger } from "./ledger.ts";
import type { Timeline } from "./timeline.ts";

/** µs since 1970 at the beginning. */
const EPOCH = 1_700_000_000_000_000;

export interface SimulatedServer {
  readonly isUp: boolean;
  /** Rises with each start. */
  readonly incarnation: number;
  submit(command: Ask, answer: (outcome: AnswerTo<Ask>) => void): void;
  openStream(listener: (news: StreamNews) => void): number;
  closeStream(stream: number): void;
  crash(): void;
  start(): void;
  /** What its limiters have when it has taken up what was kept. */
  onStart(listener: (limiters: ReadonlyMap<string, LimiterConfig>) => void): void;
}

export function createSimulatedServer(options: {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly disk: Disk;
  readonly ledger: Ledger;
  readonly limiters: readonly LimiterConfig[];
}): SimulatedServer {
  const { timeline, dice, disk, ledger, limiters } = options;
  let engine: EmbeddedEngine | undefined;
  let incarnation = 0;
  let listener = (_: ReadonlyMap<string, LimiterConfig>) => {};

  /** What an earlier process had planned or said does not happen. */
  function alive<A extends unknown[]>(of: number, callback: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      if (engine !== undefined && incarnation === of) callback(...args);
    };
  }

  function start(): void {
    incarnation += 1;
    const own = incarnation;
    // The machine's time begins anew with each process.
    const startedAt = timeline.now;
    const clock: Clock = {
      now: () => timeline.now - startedAt,
      wallTime: (micros) => (EPOCH + startedAt + micros) / 1000,
      schedule(at, precise, callback) {
        const lateness = precise ? 0 : dice.roll(1_000);
        return timeline.after(at + startedAt - timeline.now + lateness, alive(own, callback));
      },
    };
    const epoch = EPOCH + startedAt;
    const machine = { maxWaiters: 1_000, fencingEpoch: epoch };
    let found = new Map<string, LimiterConfig>();
    const inspect = (state: State) => {
      ledger.look(state, startedAt);
      if (startedAt === timeline.now)
        found = new Map(Array.from(state.limiters, ([name, { config }]) => [name, config]));
    };
    engine = createEmbeddedEngine({ clock, store: disk.open(epoch, clock), machine, inspect });
    void engine.declareAtOnce(limiters, () => {});
    listener(found);
  }

  function noteGrant<N extends StreamNews | AnswerTo<Ask>>(news: N): N {
    if (news.kind === "granted") ledger.tell(news.lease.id);
    return news;
  }

  return {
    get isUp() {
      return engine !== undefined;
    },
    get incarnation() {
      return incarnation;
    },
    submit(command, answer) {
      // What is asked of one that is down is never answered, as over a connection that breaks with it.
      engine?.submit(
        command,
        alive(incarnation, (outcome) => answer(noteGrant(outcome))),
        () => {},
      );
    },
    openStream: (listener) =>
      engine?.openStream(
        alive(incarnation, (news) => listener(noteGrant(news))),
        () => {},
      ) ?? 0,
    closeStream: (stream) => engine?.closeStream(stream),
    crash() {
      void engine?.close();
      engine = undefined;
      disk.crash();
      ledger.crash(timeline.now);
    },
    start,
    onStart(heard) {
      listener = heard;
    },
  };
}
