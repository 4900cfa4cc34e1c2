/** Bugs of the kinds that such a service has had, each to be put into a copy of the sources: the tests beside it must find it. */

import type { Bug } from "./bug.ts";

export interface Mutant extends Bug {
  readonly name: string;
  /** What is run to find it, from the quickest. */
  readonly tests: readonly string[];
}

const MACHINE = "src/server/machine";
const TESTS = "test/server/machine";
const LEAKS = `${TESTS}/limiter/promise-6-nothing-leaks.test.ts`;
const FINITE = `${TESTS}/limiter/promise-1-finite-capacity.test.ts`;
const RATE = `${TESTS}/limiter/promise-2-rate.test.ts`;
const FAIR = `${TESTS}/limiter/promise-5-fair.test.ts`;
const RESTORE = `${TESTS}/limiter/restore.test.ts`;
const RECORDS = "test/server/store/model/records.test.ts";
const TRACE = `${TESTS}/limiter/model/no-trace.test.ts`;
const MODEL = `${TESTS}/limiter/model/model.test.ts`;
const BOARD_MODEL = `${TESTS}/board/model/model.test.ts`;

export const MUTANTS: readonly Mutant[] = [
  {
    name: "a lost connection frees the lease",
    file: `${MACHINE}/liveness.ts`,
    find: 'return ttl !== 0 && (how === "lost" || !isLastWord);',
    replace: 'return ttl !== 0 && how !== "lost" && !isLastWord;',
    tests: [LEAKS],
  },
  {
    name: "the cancel of a request that has promised a release frees its lease",
    file: `${MACHINE}/liveness.ts`,
    find: "const isLastWord = !keepsOnCancel && ",
    replace: "const isLastWord = ",
    tests: [`${TESTS}/liveness.test.ts`],
  },
  {
    name: "a waiter that is cancelled leaves, whatever it has promised",
    file: `${MACHINE}/liveness.ts`,
    find: 'requestId !== "" && (how === "lost" || keepsOnCancel)',
    replace: 'requestId !== "" && how === "lost"',
    tests: [`${TESTS}/liveness.test.ts`],
  },
  {
    name: "a request that is withdrawn before it arrives is granted",
    file: `${MACHINE}/limiter/requests.ts`,
    find: 'if (past.kind === "withdrawn") return refusal("REQUEST_WITHDRAWN");',
    replace: 'if (past.kind === "withdrawn") return refusal("LEASE_NOT_FOUND");',
    tests: [`${TESTS}/liveness.test.ts`],
  },
  {
    name: "a restart forgets leases",
    file: `${MACHINE}/limiter/restore.ts`,
    find: "state.leases.set(lease.id, lease);",
    replace: "",
    tests: [RESTORE],
  },
  {
    name: "a lease can be released twice",
    file: `${MACHINE}/limiter/ending.ts`,
    find: "state.leases.delete(lease.id);",
    replace: "",
    tests: [LEAKS, FINITE],
  },
  {
    name: "what a request id has stood for is forgotten",
    file: `${MACHINE}/limiter/requests.ts`,
    find: "state.pastRequests.set(keyOfCaller(caller, requestId), past, state.now);",
    replace: "",
    tests: [LEAKS, TRACE, MODEL],
  },
  {
    name: "fencing tokens begin anew after a restart",
    file: `${MACHINE}/limiter/restore.ts`,
    find: "fencingToken: state.fencingEpoch + state.now }",
    replace: "fencingToken: 0 }",
    tests: [RESTORE, RECORDS],
  },
  {
    name: "one permit too many",
    file: `${MACHINE}/limiter/limiter.ts`,
    find: "instance.permitsInUse + permits <= maxConcurrent",
    replace: "instance.permitsInUse + permits <= maxConcurrent + 1",
    tests: [FINITE],
  },
  {
    name: "a freed permit wakes no waiter",
    file: `${MACHINE}/limiter/ending.ts`,
    find: "unsettle(state, instance);",
    replace: "",
    tests: [FAIR, LEAKS],
  },
  {
    name: "a waiter whose time is over gives up before what has fallen due is granted",
    file: `${MACHINE}/limiter/settle.ts`,
    find: "        givingUp ??= [];\n        givingUp.push(due);",
    replace: "        giveUp(state, due);",
    tests: [FAIR, LEAKS, MODEL],
  },
  {
    name: "a refusal brings a token",
    file: `${MACHINE}/limiter/claim-targets.ts`,
    find: "if (inTheWay === undefined && waiting === 0) continue;",
    replace: "if (inTheWay === undefined && waiting === 0) continue;\n    if (instance) instance.bucket.tokens += 1;",
    tests: [RATE, TRACE],
  },
  {
    name: "a ttl is a µs too short",
    file: `${MACHINE}/liveness.ts`,
    find: "else state.deadlines.set(held, state.now + ttl);",
    replace: "else state.deadlines.set(held, state.now + ttl - 1);",
    tests: [LEAKS],
  },
  {
    name: "a lease has two streams",
    file: `${MACHINE}/liveness.ts`,
    find: 'state.events.push({ to: before, about: held.id, news: { kind: "displaced", reason: "LEASE_DISPLACED" } });',
    replace: "",
    tests: [LEAKS, FINITE, MODEL],
  },
  {
    name: "the last in the queue is served first",
    file: `${MACHINE}/structures/fifo.ts`,
    find: "const oldest = this.#oldest;",
    replace: "const oldest = this.#newest;",
    tests: [FAIR],
  },
  {
    name: "a worker whose session is back has not heard of the card that was lost on its way",
    file: `${MACHINE}/board/session-commands.ts`,
    find: "    work.heard = true;\n",
    replace: "",
    tests: [BOARD_MODEL],
  },
  {
    name: "the pulls of a session that another stream has taken up leave their queues",
    file: `${MACHINE}/board/session-commands.ts`,
    find: 'leaveQueues(state, session, "lost");',
    replace: 'leaveQueues(state, session, "cancelled");',
    tests: [BOARD_MODEL],
  },
  {
    name: "a session hears nothing of its card that another session finishes",
    file: `${MACHINE}/board/work-commands.ts`,
    find: "if (session === undefined || sessionIdOf(work) !== session.id) tellOver",
    replace: "if (session === undefined) tellOver",
    tests: [BOARD_MODEL],
  },
];
