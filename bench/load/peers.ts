/** The calls of other rate-limiting servers, so that one generator asks all of them the same: by the fields of their public contracts. */

import type { Work } from "./arrivals.ts";
import { bytesField, bytesOf, readFields, stringField, varintField } from "./protobuf.ts";
import { pickerOf, type Subject, subjectsOf } from "./subjects.ts";
import { closing, connectAll, inTurn, type VerbOptions } from "./verbs.ts";

/** envoy.service.ratelimit.v3, as Envoy itself calls it and limitador and envoyproxy/ratelimit serve it. */
export const SHOULD_RATE_LIMIT = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const RATE_LIMIT_REQUEST = { domain: 1, descriptors: 2, hitsAddend: 3 } as const;
const DESCRIPTOR = { entries: 1 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const RATE_LIMIT_RESPONSE = { overallCode: 1 } as const;
const CODE_OK = 1;

/** pb.gubernator. */
export const GET_RATE_LIMITS = "/pb.gubernator.V1/GetRateLimits";
const GET_REQUEST = { requests: 1 } as const;
const RATE_LIMIT = { name: 1, uniqueKey: 2, hits: 3, limit: 4, duration: 5 } as const;
const GET_RESPONSE = { responses: 1 } as const;
const STATUS = { status: 1 } as const;
const OVER_LIMIT = 1;
const PLENTY = 1_000_000_000;
const SECOND = 1_000;

/** The limiter is the domain; the key is the value of one descriptor, `key`. */
export function shouldRateLimitRequest({ limiter, key }: Subject): Buffer {
  const entry = Buffer.concat([stringField(ENTRY.key, "key"), stringField(ENTRY.value, key || "all")]);
  const descriptor = bytesField(DESCRIPTOR.entries, entry);
  return Buffer.concat([
    stringField(RATE_LIMIT_REQUEST.domain, limiter),
    bytesField(RATE_LIMIT_REQUEST.descriptors, descriptor),
    varintField(RATE_LIMIT_REQUEST.hitsAddend, 1),
  ]);
}

/** A limit of a thousand million a second, which is never the reason for a refusal. */
export function getRateLimitsRequest({ limiter, key }: Subject, batch: number): Buffer {
  const one = bytesField(
    GET_REQUEST.requests,
    Buffer.concat([
      stringField(RATE_LIMIT.name, limiter),
      stringField(RATE_LIMIT.uniqueKey, key || "all"),
      varintField(RATE_LIMIT.hits, 1),
      varintField(RATE_LIMIT.limit, PLENTY),
      varintField(RATE_LIMIT.duration, SECOND),
    ]),
  );
  return Buffer.concat(Array.from({ length: batch }, () => one));
}

export async function shouldRateLimits(options: VerbOptions): Promise<Work> {
  const connections = await connectAll(options);
  const request = pickerOf(subjectsOf(options).map(shouldRateLimitRequest), options.spread);
  const connection = inTurn(connections);
  return {
    decisions: 1,
    begin(ended) {
      connection().call(SHOULD_RATE_LIMIT, request(), (answer) => {
        if (answer === undefined) ended("failed");
        else ended(numberOf(answer, RATE_LIMIT_RESPONSE.overallCode) === CODE_OK ? "done" : "refused");
      });
    },
    ...closing(connections),
  };
}

/** `batch` decisions in each call. */
export async function getRateLimits(options: VerbOptions, batch: number): Promise<Work> {
  const connections = await connectAll(options);
  const requests = subjectsOf(options).map((subject) => getRateLimitsRequest(subject, batch));
  const [connection, request] = [inTurn(connections), pickerOf(requests, options.spread)];
  return {
    decisions: batch,
    begin(ended) {
      connection().call(GET_RATE_LIMITS, request(), (answer) => {
        const first = answer && bytesOf(answer, GET_RESPONSE.responses);
        if (first === undefined) ended("failed");
        else ended(numberOf(first, STATUS.status) === OVER_LIMIT ? "refused" : "done");
      });
    },
    ...closing(connections),
  };
}

/** 0 where the field is not said. */
function numberOf(message: Buffer, wanted: number): number {
  let found = 0;
  readFields(message, (field, value) => {
    if (field === wanted) found = value;
  });
  return found;
}
