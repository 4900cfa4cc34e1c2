import { expect, test } from "vitest";
import { AcquireRequestSchema } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { CreateBoardRequestSchema } from "../../../src/server/gen/ggen/backpressure/v1/board_service_pb.ts";
import {
  CreateLimiterRequestSchema,
  UpdateLimiterRequestSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { jsonViolations } from "../../../src/server/wire/json-request.ts";

test.each([
  [AcquireRequestSchema, { claims: [{ limiter: "l", permit: 50 }] }, "claims[0].permit", /did you mean permits\?/],
  [AcquireRequestSchema, { claim: [] }, "claim", /did you mean claims\?/],
  [AcquireRequestSchema, { quux: 1 }, "quux", /there are claims, /],
  [AcquireRequestSchema, { ttl: "1m" }, "ttl", /such as "60s", found "1m"/],
  [AcquireRequestSchema, { ttl: "250ms" }, "ttl", /such as "0\.250000000s"/],
  [AcquireRequestSchema, { ttl: 60 }, "ttl", /such as "60s", found 60/],
  [AcquireRequestSchema, { max_wait: "soon" }, "max_wait", /such as "60s", found "soon"/],
  [AcquireRequestSchema, { maxWait: "1s", max_wait: "2s" }, "max_wait", /is given twice, as maxWait and as max_wait/],
  [CreateLimiterRequestSchema, { limiter: { name: "l", max_rsp: 5 } }, "limiter.max_rsp", /did you mean maxRps\?/],
  [
    CreateBoardRequestSchema,
    { board: { stages: [{ name: "a", kind: "QUEUE" }] } },
    "board.stages[0].kind",
    /did you mean STAGE_KIND_QUEUE\?/,
  ],
])("a request in JSON is refused with the fields in it that are not read: %#", (desc, json, field, description) => {
  expect(jsonViolations(desc, json)).toMatchObject([{ field, description: expect.stringMatching(description) }]);
});

test.each([
  [AcquireRequestSchema, { claims: [{ limiter: "l", permits: 2 }], ttl: "1.5s", max_wait: null }],
  [UpdateLimiterRequestSchema, { limiter: { name: "l", createTime: "2026-01-01T00:00:00Z" }, updateMask: "maxRps" }],
  [AcquireRequestSchema, "no object"],
  [AcquireRequestSchema, { claims: "no list" }],
])("nothing is said of what protobuf reads, or refuses, itself: %#", (desc, json) => {
  expect(jsonViolations(desc, json)).toEqual([]);
});

test("no more are reported than an error holds, whatever is sent", () => {
  const json = { claims: Array.from({ length: 10_000 }, () => ({ x: 1, y: 2 })) };
  expect(jsonViolations(AcquireRequestSchema, json)).toHaveLength(8);
});
