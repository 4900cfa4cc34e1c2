// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file writes its placeholders like this.

/** What it costs to ask whether the access list allows a claim: the hundredth entry of a long list allows it, one of many callers asks. */

import { create } from "@bufbuild/protobuf";
import { type AccessEntry, createAccessList } from "../src/server/access/access-list.ts";
import type { Caller } from "../src/server/access/caller.ts";
import {
  AdmissionService,
  TryAcquireRequestSchema,
} from "../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { refusalOf } from "../src/server/service/access/decide.ts";
import { RULES, type Rule } from "../src/server/service/access/rules.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, report } from "./support/report.ts";
import { spreadOf } from "./support/spread.ts";
import { threadTime } from "./support/thread-time.ts";

const SHARE = 200_000;
const TURNS = { rounds: 9, warmUp: 2 };

const entries = Array.from({ length: 100 }, (_, index): AccessEntry => {
  const limiters = Array.from({ length: 10 }, (__, each) => `team-${index}-${each}-*`);
  return { who: ["k8s:*"], may: ["acquire"], limiters, boards: [], keys: ["${tenant}/*"], bounds: undefined };
});
const list = createAccessList(entries);
const callers = Array.from({ length: 50 }, (_, index): Caller => {
  const tenant = `tenant-${index}`;
  return { name: `k8s:app-${index}`, tenant, groups: [], kind: "jwt", expiresAt: undefined, claims: {} };
});
const rule = RULES[AdmissionService.typeName]?.tryAcquire as Rule<unknown>;
const requests = callers.map(({ tenant }, index) =>
  create(TryAcquireRequestSchema, { claims: [{ limiter: `team-99-${index % 10}-db`, key: `${tenant}/42` }] }),
);

/** ns of CPU for each claim. */
const side: Side = () => {
  const begun = threadTime();
  for (let i = 0; i < SHARE; i++) {
    const caller = callers[i % callers.length] as Caller;
    if (refusalOf(rule, list.of(caller), requests[i % requests.length]) !== undefined) throw new Error("refused");
  }
  return (threadTime() - begun) / SHARE;
};

const { claim } = await inTurns({ claim: side }, TURNS);
report({
  name: "access",
  figures: [{ what: "a claim against 100 entries", unit: "ns", spread: spreadOf(claim), target: atMost(300) }],
});
