/**
 * Where leases are acquired, for the warning that one was forgotten. To look takes several times as long as all else that an
 * acquire does, so that a process which has acquired many looks at a sample; one that was seen to forget a lease at an unknown
 * place looks at each.
 */

import { callSite } from "../client/hold/call-site.ts";

export interface CallSites {
  /** Returns the stack of the caller of `below`, or `UNKNOWN_SITE`. */
  of(below: (...args: never[]) => unknown): string;
  /** From here on each is looked at. */
  lookAtAll(): void;
}

export const UNKNOWN_SITE = "    at a place that was not looked at; from now on each is";

/** Calls that are looked at from the start: few programs that run shortly make more. */
const ALL_FIRST = 100;
/** Of the others, one in so many is. */
const ONE_IN = 128;

export function createCallSites(): CallSites {
  let calls = 0;
  let all = false;
  return {
    of(below) {
      calls += 1;
      return all || calls <= ALL_FIRST || calls % ONE_IN === 0 ? callSite(below) : UNKNOWN_SITE;
    },
    lookAtAll() {
      all = true;
    },
  };
}
