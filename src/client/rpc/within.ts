/** Waiting for something, but not for ever. */

import type { Clock } from "./clock.ts";

/**
 * Calls back when a time in which a peer had to say something is over. A process that was stopped, or busy, finds its timers
 * due before it reads what came meanwhile: the peer's word has one more turn. Returns what calls it off.
 */
export function scheduleBound(clock: Clock, ms: number, callback: () => void): () => void {
  let callOff = clock.schedule(ms, () => {
    callOff = clock.schedule(0, callback);
  });
  return () => callOff();
}

/** Settles as `promise` does, or after `ms` as `late` says: with what it returns, or throws. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const disarm = scheduleBound(clock, ms, () => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    });
    promise.finally(disarm).then(resolve, reject);
  });
}
