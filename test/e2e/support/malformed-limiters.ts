/** What LimiterService refuses. */

import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
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

const { createLimiter, getLimiter, listLimiters, updateLimiter, deleteLimiter, watchLimiters } = LimiterService.method;
const { listLeases, listWaiters, revokeLease, cancelWaiter } = LimiterService.method;

const MISMATCH: Answer = { code: Code.Aborted, reason: "ETAG_MISMATCH" };
const GOOD = { name: "new", maxConcurrent: 1 };

export const MALFORMED_LIMITERS: readonly MalformedRequest[] = [
  malformed("nothing", createLimiter, {}, invalid("limiter")),
  malformed("no name", createLimiter, { limiter: { ...GOOD, name: "" } }, invalid("limiter.name")),
  malformed("a name with a space", createLimiter, { limiter: { ...GOOD, name: "a b" } }, invalid("limiter.name")),
  malformed("a name of a dash", createLimiter, { limiter: { ...GOOD, name: "-" } }, invalid("limiter.name")),
  malformed(
    "a description of 1 MB",
    createLimiter,
    { limiter: { ...GOOD, description: MEGABYTE } },
    invalid("limiter.description"),
  ),
  malformed("no limit", createLimiter, { limiter: { name: "new" } }, invalid("limiter")),
  ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 5e-324].map((maxRps) =>
    malformed(`max_rps ${maxRps}`, createLimiter, { limiter: { name: "new", maxRps } }, invalid("limiter.max_rps")),
  ),
  malformed(
    "a rate too slow",
    createLimiter,
    { limiter: { name: "new", maxRps: 3.81e-7 } },
    invalid("limiter.max_rps"),
  ),
  malformed(
    "no burst",
    createLimiter,
    { limiter: { name: "new", maxRps: 1, burstSize: 0 } },
    invalid("limiter.burst_size"),
  ),
  malformed("a burst without a rate", createLimiter, { limiter: { ...GOOD, burstSize: 1 } }, invalid("limiter")),
  malformed(
    "no permits",
    createLimiter,
    { limiter: { name: "new", maxConcurrent: 0 } },
    invalid("limiter.max_concurrent"),
  ),
  malformed("max_keys without keys", createLimiter, { limiter: { ...GOOD, maxKeys: 1 } }, invalid("limiter")),
  malformed("a ttl of 1 ms", createLimiter, { limiter: { ...GOOD, ttl: MILLISECOND } }, invalid("limiter.ttl")),
  malformed(
    "a ttl above its bound",
    createLimiter,
    { limiter: { ...GOOD, ttl: { seconds: 9n }, maxTtl: { seconds: 8n } } },
    invalid("limiter"),
  ),
  malformed(
    "a max_wait in the past",
    createLimiter,
    { limiter: { ...GOOD, maxWait: PAST } },
    invalid("limiter.max_wait"),
  ),
  malformed(
    "a name that is taken",
    createLimiter,
    { limiter: { ...GOOD, name: "db" } },
    {
      code: Code.AlreadyExists,
      reason: "LIMITER_EXISTS",
      resourceType: "limiter",
    },
  ),
  malformed("no name", getLimiter, {}, invalid("name")),
  malformed("one that is not there", getLimiter, { name: "nowhere" }, notFound("LIMITER_NOT_FOUND")),
  malformed("a key for one without keys", getLimiter, { name: "db", key: "k" }, invalid("key")),
  malformed("a page of a thousand and more", listLimiters, { pageSize: 1001 }, invalid("page_size")),
  malformed("a page that is none", listLimiters, { pageToken: "garbage" }, invalid("page_token")),
  malformed("a page token of 1 MB", listLimiters, { pageToken: MEGABYTE }, invalid("page_token")),
  malformed("nothing", updateLimiter, {}, invalid("")),
  malformed("one that is not there", updateLimiter, { limiter: GOOD }, notFound("LIMITER_NOT_FOUND")),
  malformed("a name of 1 MB", updateLimiter, { limiter: { name: MEGABYTE } }, notFound("LIMITER_NOT_FOUND")),
  malformed(
    "an unknown field",
    updateLimiter,
    { limiter: { name: "idle" }, updateMask: { paths: ["max_rps", "nothing"] } },
    invalid("update_mask.paths[1]"),
  ),
  malformed(
    "a field for output",
    updateLimiter,
    { limiter: { name: "idle" }, updateMask: { paths: ["status"] } },
    invalid("update_mask.paths[0]"),
  ),
  malformed(
    "a path into a field",
    updateLimiter,
    { limiter: { name: "idle" }, updateMask: { paths: ["ttl.seconds"] } },
    invalid("update_mask.paths[0]"),
  ),
  malformed(
    "a path of 1 MB",
    updateLimiter,
    { limiter: { name: "idle" }, updateMask: { paths: [MEGABYTE] } },
    invalid("update_mask.paths[0]"),
  ),
  malformed(
    "too many paths",
    updateLimiter,
    { limiter: { name: "idle" }, updateMask: { paths: Array(5_000).fill("no") } },
    { code: Code.InvalidArgument, reason: "INVALID_REQUEST" },
  ),
  malformed("its name", updateLimiter, { limiter: { name: "idle", keyed: true } }, invalid("limiter.keyed")),
  malformed(
    "its last limit",
    updateLimiter,
    { limiter: { name: "idle" }, updateMask: { paths: ["max_concurrent"] } },
    invalid("limiter"),
  ),
  malformed(
    "a value out of bounds",
    updateLimiter,
    { limiter: { name: "idle", ttl: DAY_AND_MORE } },
    invalid("limiter.ttl"),
  ),
  malformed("a stale etag", updateLimiter, { limiter: { name: "idle", etag: "77", paused: true } }, MISMATCH),
  malformed("an etag that is none", updateLimiter, { limiter: { name: "idle", etag: "x", paused: true } }, MISMATCH),
  malformed("no name", deleteLimiter, {}, invalid("name")),
  malformed(
    "one that is declared",
    deleteLimiter,
    { name: "idle" },
    { code: Code.FailedPrecondition, reason: "DECLARED" },
  ),
  malformed("one that is not there", deleteLimiter, { name: "nowhere", force: true }, notFound("LIMITER_NOT_FOUND")),
  malformed("an empty name", watchLimiters, { names: ["db", ""] }, invalid("names[1]")),
  malformed("too many names", watchLimiters, { names: Array(1001).fill("db") }, invalid("names")),
  malformed("a key without a limiter", listLeases, { key: "k" }, invalid("limiter")),
  malformed("a page that is none", listLeases, { pageToken: "LTE" }, invalid("page_token")),
  malformed("no limiter", listWaiters, {}, invalid("limiter")),
  malformed("one that is not there", listWaiters, { limiter: "nowhere" }, notFound("LIMITER_NOT_FOUND")),
  malformed("nothing", revokeLease, {}, invalid("lease_id")),
  malformed("one that is not there", revokeLease, { leaseId: "l" }, notFound("LEASE_NOT_FOUND")),
  malformed("a message of 1 MB", revokeLease, { leaseId: "l", message: MEGABYTE }, invalid("message")),
  malformed("nothing", cancelWaiter, {}, invalid("waiter_id")),
  malformed("one that is not there", cancelWaiter, { waiterId: "w" }, notFound("WAITER_NOT_FOUND")),
];
