/** Control: a history that breaks one rule is found to break it, and one that only comes near is not. */

import { expect, test } from "vitest";
import { checkHistory, type Rule } from "./support/history/check-history.ts";
import type { Attempt, HeldClaim, HistoryLine } from "./support/history/history.ts";
import type { CheckedLimiter } from "./support/history/limiters.ts";

const LIMITERS: readonly CheckedLimiter[] = [
  { name: "db", maxConcurrent: 2, keys: ["", "other"] },
  { name: "rate", rate: { maxRps: 1_000, burstSize: 2 }, keys: [""] },
];

interface Span {
  readonly sent: number;
  readonly heard: number;
  /** Unset: as soon as it was heard of. */
  readonly until?: number;
  readonly queued?: number;
}

/** A request for one permit of `db`, unless `claim` says more. */
function granted(fencingToken: number, span: Span, claim: Partial<HeldClaim> = {}, requestId = ""): Attempt {
  const { sent, heard, until = heard, queued } = span;
  const held: HeldClaim = { limiter: "db", key: "", permits: 1, tokens: 0, slots: [], ...claim, fencingToken };
  const outcome = { kind: "granted", heard, leaseId: `${held.limiter}-${fencingToken}`, held: [held], until } as const;
  return { kind: "attempt", requestId, claims: [held], sent, queued, outcome };
}

function gone({ sent, queued, waitedUntil }: { sent: number; queued: number; waitedUntil: number }): Attempt {
  const outcome = { kind: "not granted", waitedUntil } as const;
  return {
    kind: "attempt",

    requestId: "",
    claims: [{ limiter: "db", key: "" }],
    sent,
    queued,
    outcome,
  };
}

const rated = (fencingToken: number, span: Span, tokens = 1) =>
  granted(fencingToken, span, { limiter: "rate", permits: 0, tokens });

interface Case {
  readonly name: string;
  readonly breaks: Rule | undefined;
  readonly lines: readonly HistoryLine[];
}

const CASES: readonly Case[] = [
  {
    name: "two permits are held at once by three",
    breaks: "permits",
    lines: [
      granted(1, { sent: 0, heard: 10, until: 50 }),
      granted(2, { sent: 0, heard: 20, until: 50 }),
      granted(3, { sent: 0, heard: 30, until: 50 }),
    ],
  },
  {
    name: "two permits are held at once by one with two and another",
    breaks: "permits",
    lines: [
      granted(1, { sent: 0, heard: 10, until: 50 }, { permits: 2 }),
      granted(2, { sent: 0, heard: 49, until: 60 }),
    ],
  },
  {
    name: "a permit is given back and taken at the same instant",
    breaks: undefined,
    lines: [
      granted(1, { sent: 0, heard: 10, until: 50 }, { permits: 2 }),
      granted(2, { sent: 0, heard: 50, until: 60 }),
    ],
  },
  {
    name: "each key has its own permits",
    breaks: undefined,
    lines: [
      granted(1, { sent: 0, heard: 10, until: 50 }, { permits: 2 }),
      granted(2, { sent: 0, heard: 20, until: 50 }, { permits: 2, key: "other" }),
    ],
  },
  {
    name: "what has run out before it was heard of is not held",
    breaks: undefined,
    lines: [
      granted(1, { sent: 0, heard: 10, until: 50 }, { permits: 2 }),
      granted(2, { sent: 0, heard: 40, until: 30 }),
    ],
  },
  {
    name: "two hold one slot",
    breaks: "slots",
    lines: [
      granted(1, { sent: 0, heard: 10, until: 50 }, { slots: [0] }),
      granted(2, { sent: 0, heard: 20, until: 60 }, { slots: [0] }),
    ],
  },
  {
    name: "a slot comes to a lower token",
    breaks: "slots",
    lines: [
      granted(2, { sent: 0, heard: 10, until: 20 }, { slots: [0] }),
      granted(1, { sent: 0, heard: 30, until: 40 }, { slots: [0] }),
    ],
  },
  {
    name: "a slot is none of the limit's",
    breaks: "slots",
    lines: [granted(1, { sent: 0, heard: 10, until: 20 }, { slots: [2] })],
  },
  {
    name: "a slot is missing",
    breaks: "slots",
    lines: [granted(1, { sent: 0, heard: 10, until: 20 }, { slots: [0], permits: 2 })],
  },
  {
    name: "a slot goes from one to the next",
    breaks: undefined,
    lines: [
      granted(1, { sent: 0, heard: 10, until: 20 }, { slots: [0] }),
      granted(2, { sent: 0, heard: 20, until: 40 }, { slots: [0] }),
    ],
  },
  {
    name: "a token comes twice",
    breaks: "fencing tokens",
    lines: [granted(1, { sent: 0, heard: 10 }), granted(1, { sent: 0, heard: 20 }, { key: "other" })],
  },
  {
    name: "a token falls",
    breaks: "fencing tokens",
    lines: [granted(2, { sent: 0, heard: 10 }), granted(1, { sent: 11, heard: 20 })],
  },
  {
    name: "tokens of two that were asked for at once come in either order",
    breaks: undefined,
    lines: [granted(2, { sent: 0, heard: 10 }), granted(1, { sent: 9, heard: 20 })],
  },
  {
    name: "a client that asks after another is known to wait is granted before it",
    breaks: "first come, first served",
    lines: [granted(2, { sent: 0, queued: 10, heard: 50 }), granted(1, { sent: 11, heard: 40 })],
  },
  {
    name: "a client that asks after another is known to wait is granted while that waits on",
    breaks: "first come, first served",
    lines: [gone({ sent: 0, queued: 10, waitedUntil: 50 }), granted(1, { sent: 11, heard: 49 })],
  },
  {
    name: "a waiter that has left is not waited for",
    breaks: undefined,
    lines: [gone({ sent: 0, queued: 10, waitedUntil: 50 }), granted(1, { sent: 11, heard: 51 })],
  },
  {
    name: "a client that asks while another is not yet known to wait may be first",
    breaks: undefined,
    lines: [granted(2, { sent: 0, queued: 10, heard: 50 }), granted(1, { sent: 9, heard: 40 })],
  },
  {
    name: "each key has its own queue",
    breaks: undefined,
    lines: [granted(2, { sent: 0, queued: 10, heard: 50 }), granted(1, { sent: 11, heard: 40 }, { key: "other" })],
  },
  {
    name: "a waiter that asks again keeps its place",
    breaks: undefined,
    lines: [
      gone({ sent: 5, queued: 6, waitedUntil: 10 }),
      granted(2, { sent: 7, queued: 8, heard: 50 }),
      { ...gone({ sent: 0, queued: 3, waitedUntil: 9 }), requestId: "again" },
      granted(1, { sent: 9, heard: 40 }, {}, "again"),
    ],
  },
  {
    name: "a burst of three at a burst size of two",
    breaks: "rate",
    lines: [rated(1, { sent: 0, heard: 10 }), rated(2, { sent: 100, heard: 110 }), rated(3, { sent: 200, heard: 210 })],
  },
  {
    name: "three tokens at once",
    breaks: "rate",
    lines: [rated(1, { sent: 0, heard: 500 }, 3)],
  },
  {
    name: "twice the rate, for long",
    breaks: "rate",
    lines: Array.from({ length: 20 }, (_, i) => rated(i + 1, { sent: i * 500, heard: i * 500 + 3_000 })),
  },
  {
    name: "the rate and the burst",
    breaks: undefined,
    lines: [
      rated(1, { sent: 0, heard: 1 }, 2),
      ...Array.from({ length: 20 }, (_, i) => rated(i + 2, { sent: (i + 1) * 1_000, heard: (i + 1) * 1_000 + 5 })),
    ],
  },
  {
    name: "a burst of three of which one may have been granted long before",
    breaks: undefined,
    lines: [
      rated(1, { sent: -2_000, heard: 10 }),
      rated(2, { sent: 0, heard: 110 }),
      rated(3, { sent: 0, heard: 210 }),
    ],
  },
  {
    name: "a request id brings two leases",
    breaks: "request ids",
    lines: [granted(1, { sent: 0, heard: 10 }, {}, "twice"), granted(2, { sent: 20, heard: 30 }, {}, "twice")],
  },
  {
    name: "a request id brings its lease twice",
    breaks: undefined,
    lines: [
      granted(1, { sent: 0, heard: 10, until: 40 }, { permits: 2 }, "twice"),
      granted(1, { sent: 20, heard: 30, until: 40 }, { permits: 2 }, "twice"),
    ],
  },
  {
    name: "an answer that nothing explains",
    breaks: "answers",
    lines: [{ kind: "surprise", what: "a lease was released twice" }],
  },
];

test.for(CASES)("$breaks: $name", ({ lines, breaks }) => {
  const broken = new Set(checkHistory(lines, LIMITERS).map(({ rule }) => rule));
  expect([...broken]).toEqual(breaks === undefined ? [] : [breaks]);
});

test("fencing tokens: what a round has begun with is below all that it brings", () => {
  const floors = new Map([["db", 5]]);
  const check = (fencingToken: number) =>
    checkHistory([granted(fencingToken, { sent: 0, heard: 1 })], LIMITERS, floors).map(({ rule }) => rule);
  expect(check(6)).toEqual([]);
  expect(check(6)).toEqual(["fencing tokens"]);
});
