/** What AdmissionService refuses. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { Code } from "../../support/call-failure.ts";
import {
  type Answer,
  DAY_AND_MORE,
  invalid,
  type MalformedRequest,
  MEGABYTE,
  MILLISECOND,
  malformed,
  notFound,
  PAST,
} from "./malformed-request.ts";

const { acquire, tryAcquire, renew, release } = AdmissionService.method;

const IDLE = { limiter: "idle" };
const FOREVER = { seconds: 2n ** 62n };
const REQUEST_ID = "0123456789abcdef";
const BINARY = { binaryOnly: true };
const NEVER: Answer = { code: Code.FailedPrecondition, reason: "CLAIM_EXCEEDS_LIMIT" };

function notNow(reason: string): Answer {
  return { code: Code.ResourceExhausted, reason, retryDelay: 1000 };
}

/** What Acquire and TryAcquire refuse alike. */
const CLAIMS: readonly (readonly [
  name: string,
  claims: MessageInitShape<typeof tryAcquire.input>["claims"],
  Answer,
])[] = [
  ["nine claims", Array.from({ length: 9 }, (_, i) => ({ limiter: `l${i}` })), invalid("claims")],
  ["a limiter without a name", [{}], invalid("claims[0].limiter")],
  ["a name of 1 MB", [IDLE, { limiter: MEGABYTE }], invalid("claims[1].limiter")],
  ["a limiter that is not there", [IDLE, { limiter: "nowhere" }], notFound("LIMITER_NOT_FOUND")],
  ["a name that no limiter can have", [{ limiter: "\0\u{1f600}\r\n%" }], notFound("LIMITER_NOT_FOUND")],
  ["a key for one without keys", [IDLE, { limiter: "db", key: "k" }], invalid("claims[1].key")],
  ["no key for one with keys", [{ limiter: "tenants" }], invalid("claims[0].key")],
  ["a key of 1 MB", [{ limiter: "tenants", key: MEGABYTE }], invalid("claims[0].key")],
  ["neither permits nor tokens", [{ ...IDLE, permits: 0, tokens: 0 }], invalid("claims[0]")],
  ["more permits than a claim can have", [{ ...IDLE, permits: 2 ** 32 - 1 }], invalid("claims[0].permits")],
  ["more tokens than a claim can have", [{ limiter: "api", tokens: 1_000_000_001 }], invalid("claims[0].tokens")],
  ["more permits than there are", [{ ...IDLE, permits: 5 }], NEVER],
  ["more tokens than the burst", [{ limiter: "api", tokens: 6 }], NEVER],
  ["the same limiter twice", [IDLE, { limiter: "db" }, { ...IDLE, permits: 2 }], invalid("claims[2]")],
  [
    "the same limiter and key twice",
    [
      { limiter: "tenants", key: "k" },
      { limiter: "tenants", key: "k", slots: true },
    ],
    invalid("claims[1]"),
  ],
  ["slots for too many permits", [{ ...IDLE, permits: 1025, slots: true }], invalid("claims[0].permits")],
  [
    "several things at once",
    [
      { ...IDLE, permits: 0, tokens: 0 },
      { ...IDLE, permits: 2000, slots: true },
    ],
    invalid("claims[0]", "claims[1].permits", "claims[1]"),
  ],
];

export const MALFORMED_ADMISSION: readonly MalformedRequest[] = [
  ...CLAIMS.map(([name, claims = [], answer]) => malformed(name, acquire, { claims }, answer)),
  ...CLAIMS.map(([name, claims = [], answer]) => malformed(name, tryAcquire, { claims }, answer)),
  malformed("nothing", acquire, {}, invalid("")),
  malformed("nothing", tryAcquire, {}, invalid("claims")),
  malformed("claims and a lease", acquire, { claims: [IDLE], resume: { leaseId: "l", secret: "s" } }, invalid("")),
  malformed("a lease without an id", acquire, { resume: { secret: "s" } }, invalid("resume.lease_id")),
  malformed("a lease without a secret", acquire, { resume: { leaseId: "l" } }, invalid("resume.secret")),
  malformed(
    "a lease that is not there",
    acquire,
    { resume: { leaseId: "l", secret: "s" } },
    notFound("LEASE_NOT_FOUND"),
  ),
  malformed("a secret of 1 MB", acquire, { resume: { leaseId: "l", secret: MEGABYTE } }, invalid("resume.secret")),
  malformed("a holder of 1 MB", acquire, { claims: [IDLE], holder: MEGABYTE }, invalid("holder")),
  malformed("a holder of 257 bytes", tryAcquire, { claims: [IDLE], holder: "é".repeat(129) }, invalid("holder")),
  malformed("a max_wait in the past", acquire, { claims: [IDLE], maxWait: PAST }, invalid("max_wait")),
  malformed("a max_wait of a day and more", acquire, { claims: [IDLE], maxWait: DAY_AND_MORE }, invalid("max_wait")),
  malformed("a max_wait for ever", acquire, { claims: [IDLE], maxWait: FOREVER }, invalid("max_wait"), BINARY),
  malformed("a ttl of 1 ms", acquire, { claims: [IDLE], ttl: MILLISECOND }, invalid("ttl")),
  malformed("a ttl of 1 ms", tryAcquire, { claims: [IDLE], ttl: MILLISECOND }, invalid("ttl")),
  malformed("a ttl of zero", tryAcquire, { claims: [IDLE], ttl: {} }, invalid("ttl")),
  malformed("a ttl for ever", tryAcquire, { claims: [IDLE], ttl: FOREVER }, invalid("ttl"), BINARY),
  malformed("a short request_id", acquire, { claims: [IDLE], requestId: "short" }, invalid("request_id")),
  malformed(
    "a request_id with a space",
    tryAcquire,
    { claims: [IDLE], requestId: `${REQUEST_ID} ` },
    invalid("request_id"),
  ),
  malformed("not now, others wait", acquire, { claims: [{ limiter: "db" }], maxWait: {} }, notNow("WAITERS_AHEAD")),
  malformed(
    "not now, in use",
    acquire,
    { claims: [{ limiter: "full" }], maxWait: {} },
    notNow("CONCURRENCY_EXHAUSTED"),
  ),
  malformed("no room in the queue", acquire, { claims: [{ limiter: "full" }] }, notNow("QUEUE_FULL")),
  malformed("nothing", renew, {}, invalid("leases")),
  malformed(
    "too many",
    renew,
    { leases: Array.from({ length: 1001 }, () => ({ leaseId: "l", secret: "s" })) },
    invalid("leases"),
  ),
  malformed("an empty one", renew, { leases: [{}] }, invalid("leases[0].lease_id", "leases[0].secret")),
  malformed("nothing", release, {}, invalid("")),
  malformed("a lease and a request", release, { leaseId: "l", secret: "s", requestId: REQUEST_ID }, invalid("")),
  malformed("a lease without a secret", release, { leaseId: "l" }, invalid("secret")),
  malformed("a secret alone", release, { secret: "s" }, invalid("")),
  malformed("a short request_id", release, { requestId: "short" }, invalid("request_id")),
  malformed("an unknown outcome", release, { leaseId: "l", secret: "s", outcome: 99 as never }, invalid("outcome")),
  malformed("a lease that is not there", release, { leaseId: "l", secret: "s" }, notFound("LEASE_NOT_FOUND")),
];
