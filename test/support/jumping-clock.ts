/** The system's clock, which tests can put forward: what takes a server minutes has then taken so long. */

import { type Clock, createSystemClock } from "../../src/server/clock.ts";

export interface JumpingClock extends Clock {
  /** Puts it forward by so many µs. What falls due by that comes with the next turns of the event loop. */
  jump(micros: number): void;
}

interface Timer {
  readonly at: number;
  readonly precise: boolean;
  readonly callback: () => void;
  cancel: () => void;
}

export function createJumpingClock(): JumpingClock {
  const clock = createSystemClock();
  const timers = new Set<Timer>();
  let ahead = 0;

  function arm(timer: Timer): void {
    timer.cancel = clock.schedule(timer.at - ahead, timer.precise, () => {
      timers.delete(timer);
      timer.callback();
    });
  }

  return {
    now: () => clock.now() + ahead,
    wallTime: (micros) => clock.wallTime(micros),
    schedule(at, precise, callback) {
      const timer: Timer = { at, precise, callback, cancel: () => {} };
      timers.add(timer);
      arm(timer);
      return () => {
        timers.delete(timer);
        timer.cancel();
      };
    },
    jump(micros) {
      ahead += micros;
      for (const timer of timers) {
        timer.cancel();
        arm(timer);
      }
    },
  };
}
