/** Time: the only file of the in-process limiter that reads a clock or sets a timer. In Node and in browsers. */

import type { Clock } from "../server/clock.ts";

export interface LocalClock extends Clock {
  /** Keeps the process alive for timers until the function that is returned is called: a caller waits for one. */
  keepAwake(): () => void;
}

/** µs: timers count in whole milliseconds and may be one late; what is due sooner and precise is polled for. */
const POLL_BELOW = 2_000;
/** ms; timers take a longer wait for 1. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

type Timer = ReturnType<typeof setTimeout>;

export function createLocalClock(): LocalClock {
  const now = () => Math.floor(performance.now() * 1000);
  const turn = createTurn();
  const timers = new Set<Timer>();
  let waiting = 0;

  function schedule(at: number, precise: boolean, callback: () => void): () => void {
    let cancel = () => {};
    const look = () => {
      const left = at - now();
      if (left <= 0) callback();
      else wait(left);
    };
    const wait = (left: number) => {
      if (precise && left < POLL_BELOW) cancel = turn(look);
      else cancel = setTimer(look, precise ? Math.floor(left / 1000) - 1 : Math.ceil(left / 1000));
    };
    // One look at the clock decides: what is not due at this one may be at the next.
    const left = at - now();
    if (left <= 0) cancel = turn(callback);
    else wait(left);
    return () => cancel();
  }

  function setTimer(callback: () => void, delay: number): () => void {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        callback();
      },
      Math.min(LONGEST_TIMEOUT, delay),
    );
    timers.add(timer);
    if (waiting === 0) letGo(timer);
    return () => {
      timers.delete(timer);
      clearTimeout(timer);
    };
  }

  return {
    now,
    wallTime: (micros) => performance.timeOrigin + micros / 1000,
    schedule,
    keepAwake() {
      waiting += 1;
      if (waiting === 1) for (const timer of timers) hold(timer);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        waiting -= 1;
        if (waiting === 0) for (const timer of timers) letGo(timer);
      };
    },
  };
}

/** A browser's timers are numbers, which hold nothing. */
function hold(timer: Timer): void {
  if (typeof timer === "object") timer.ref();
}

function letGo(timer: Timer): void {
  if (typeof timer === "object") timer.unref();
}

/** Calls back after what is under way, as soon as can be. Browsers have no `setImmediate`, and their timers take 4 ms. */
function createTurn(): (callback: () => void) => () => void {
  if (typeof setImmediate === "function") {
    return (callback) => {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    };
  }
  const { port1, port2 } = new MessageChannel();
  const callbacks = new Map<number, () => void>();
  let last = 0;
  port1.onmessage = ({ data }: MessageEvent<number>) => {
    const callback = callbacks.get(data);
    callbacks.delete(data);
    callback?.();
  };
  return (callback) => {
    last += 1;
    const id = last;
    callbacks.set(id, callback);
    port2.postMessage(id);
    return () => void callbacks.delete(id);
  };
}
