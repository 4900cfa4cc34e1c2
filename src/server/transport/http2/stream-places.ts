/**
 * Bounds the streams of one connection that wait, hold or watch. The bound stands far below what HTTP/2 is configured to
 * enforce (`sessions.ts`), so that a short call, such as the Release that frees what the others wait for, always
 * finds room beside them.
 */

import type { Clock } from "../../clock.ts";

/** A stream that asks for a place. */
export interface Newcomer {
  /** Called once, when it has its place. */
  begin(): void;
  /** Called once, when there was none for it in time. */
  refuse(): void;
}

export interface StreamPlaces {
  readonly most: number;
  /** Begins the stream as soon as there is a place. Returns a function that gives the place, or the wait for it, back. */
  take(newcomer: Newcomer): () => void;
}

/**
 * µs that a stream beyond the bound waits for a place before it is refused. A client that cancels a stream and opens the
 * next at once finds one free a moment later: the end of a stream takes some turns of the event loop.
 */
export const PATIENCE = 750_000;
/** Streams that wait so at most; further ones are refused at once. */
const MOST_PATIENT = 500;

interface Visit {
  readonly newcomer: Newcomer;
  readonly deadline: number;
  state: "patient" | "placed" | "gone";
}

export function createStreamPlaces(most: number, clock: Clock): StreamPlaces {
  let taken = 0;
  // All have the same patience, so the order of arrival is the order of deadlines.
  const patient = new Set<Visit>();
  let disarm: (() => void) | undefined;

  const arm = () => {
    const [first] = patient;
    disarm = first === undefined ? undefined : clock.schedule(first.deadline, false, refuseOverdue);
  };
  const refuseOverdue = () => {
    const now = clock.now();
    for (const visit of patient) {
      if (visit.deadline > now) break;
      refuse(visit);
    }
    arm();
  };
  const refuse = (visit: Visit) => {
    patient.delete(visit);
    visit.state = "gone";
    visit.newcomer.refuse();
  };
  const place = (visit: Visit) => {
    patient.delete(visit);
    visit.state = "placed";
    taken += 1;
    visit.newcomer.begin();
  };
  const leave = (visit: Visit) => {
    const { state } = visit;
    visit.state = "gone";
    patient.delete(visit);
    if (state !== "placed") return;
    taken -= 1;
    const [next] = patient;
    if (next !== undefined) place(next);
  };

  return {
    most,
    take(newcomer) {
      const visit: Visit = { newcomer, deadline: clock.now() + PATIENCE, state: "patient" };
      if (taken < most) {
        place(visit);
      } else if (patient.size < MOST_PATIENT) {
        patient.add(visit);
        if (disarm === undefined) arm();
      } else {
        refuse(visit);
      }
      return () => leave(visit);
    },
  };
}
