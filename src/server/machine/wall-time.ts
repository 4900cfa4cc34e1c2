/** Instants as they are shown: a machine counts from a zero of its own. */

/** Returns the wall clock's ms since 1970 at an instant of the machine's. */
export type WallTime = (micros: number) => number;

export function viewInstant(at: number | undefined, wallTime: WallTime): number | undefined {
  return at === undefined ? undefined : wallTime(at);
}
