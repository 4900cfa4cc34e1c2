/** Bugs that the history of a server must show, each with the rule that it breaks. */

import type { Bug } from "../bug.ts";
import { MUTANTS, type Mutant } from "../mutants.ts";
import type { Rule } from "./check-history.ts";

export interface VisibleBug extends Bug {
  readonly name: string;
  readonly breaks: Rule;
}

const MACHINE = "src/server/machine";

export const BUGS: readonly VisibleBug[] = [
  { ...mutant("one permit too many"), breaks: "permits" },
  { ...mutant("a lease can be released twice"), breaks: "permits" },
  { ...mutant("the last in the queue is served first"), breaks: "first come, first served" },
  { ...mutant("a refusal brings a token"), breaks: "rate" },
  { ...mutant("what a request id has stood for is forgotten"), breaks: "request ids" },
  {
    name: "a newcomer overtakes waiters",
    file: `${MACHINE}/limiter/claim-targets.ts`,
    find: "if (inTheWay === undefined && waiting === 0) continue;",
    replace: "if (inTheWay === undefined) continue;",
    breaks: "first come, first served",
  },
  {
    name: "fencing tokens begin anew",
    file: `${MACHINE}/limiter/grant.ts`,
    find: "limiter.fencingToken += 1;",
    replace: "limiter.fencingToken = (limiter.fencingToken + 1) % 100;",
    breaks: "fencing tokens",
  },
];

/** Bugs that only a client of sessions sees. */
const SESSION_BUGS: readonly VisibleBug[] = [
  {
    name: "a session that is lost takes its leases with it",
    file: `${MACHINE}/limiter/session-commands.ts`,
    find: 'leases.filter((lease) => !outlivesStream(lease, lease.trustCancel ? how : "lost"))',
    replace: "leases",
    breaks: "permits",
  },
];

/**
 * The same bugs as they show over sessions: a lease that is released once has left its session, so that the second release is refused
 * there, and frees nothing.
 */
export const BUGS_OVER_SESSIONS: readonly VisibleBug[] = [
  ...BUGS.map((bug) => (bug.name === "a lease can be released twice" ? { ...bug, breaks: "answers" as const } : bug)),
  ...SESSION_BUGS,
];

function mutant(name: string): Mutant {
  const found = MUTANTS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no mutant ${name}`);
  return found;
}
