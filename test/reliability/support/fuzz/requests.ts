/** Requests that are right, as bytes: what mutations begin with. None of them changes what the server keeps for ever. */

import { create, type DescMethod, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { AdmissionService } from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { SessionService } from "../../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { Health } from "../../../../src/client/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../../src/server/gen/grpc/reflection/v1/reflection_pb.ts";
import { pathOf } from "../../../support/grpc-client.ts";

export interface SampleRequest {
  readonly path: string;
  readonly bytes: Buffer;
}

/** What the samples claim. Leases and places are gone a second after their streams. */
export const FUZZED_LIMITERS = `
  - { name: fuzz, max_concurrent: 2, ttl: 1s, max_ttl: 1s, max_wait: 1s }
  - { name: keyed, keyed: true, max_rps: 1000, max_concurrent: 5, ttl: 1s, max_ttl: 1s, max_wait: 1s, max_keys: 100 }`;

const ONE_SECOND = { seconds: 1n };
const CLAIM = { claims: [{ limiter: "fuzz" }], holder: "häkchen ✓", ttl: ONE_SECOND };
const KEYED = {
  claims: [
    { limiter: "keyed", key: "k" },
    { limiter: "fuzz", permits: 1 },
  ],
  maxWait: ONE_SECOND,
};
const CREDENTIAL = { leaseId: "0123456789abcdef", secret: "fedcba9876543210" };
const admission = AdmissionService.method;

export const SAMPLES: readonly SampleRequest[] = [
  sample(admission.tryAcquire, { ...CLAIM, requestId: "0123456789abcdef0123456789abcdef" }),
  sample(admission.tryAcquire, KEYED),
  sample(admission.acquire, { ...CLAIM, maxWait: ONE_SECOND }),
  sample(admission.acquire, { ...KEYED, resume: CREDENTIAL }),
  sample(admission.renew, { leases: [CREDENTIAL, CREDENTIAL, CREDENTIAL] }),
  sample(admission.release, { ...CREDENTIAL, outcome: 1 }),
  sample(SessionService.method.session, {
    open: { keepOnCancel: true },
    commands: [
      { id: 1n, command: { case: "acquire", value: { ...CLAIM, maxWait: ONE_SECOND } } },
      { id: 2n, command: { case: "tryAcquire", value: KEYED } },
      { id: 3n, command: { case: "release", value: { leaseId: CREDENTIAL.leaseId } } },
      { id: 4n, command: { case: "renew", value: {} } },
      { id: 5n, command: { case: "cancel", value: { commandId: 1n } } },
    ],
  }),
  sample(SessionService.method.session, { open: { resume: { sessionId: "0123456789abcdef", secret: "s" } } }),
  sample(LimiterService.method.getLimiter, { name: "fuzz" }),
  sample(LimiterService.method.listLimiters, { pageSize: 10 }),
  sample(LimiterService.method.watchLimiters, { names: ["fuzz", "keyed"] }),
  sample(LimiterService.method.listWaiters, { limiter: "fuzz", pageToken: "x" }),
  sample(BoardService.method.getBoard, { name: "default" }),
  sample(BoardService.method.watchBoard, { name: "default", afterSequence: 1n }),
  sample(BoardService.method.pullCard, { board: "default", stage: "InProgress", worker: "w", maxWait: ONE_SECOND }),
  sample(BoardService.method.finishCard, { board: "default", cardId: "c" }),
  sample(Health.method.check, {}),
  sample(ServerReflection.method.serverReflectionInfo, { messageRequest: { case: "listServices", value: "" } }),
];

function sample<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): SampleRequest {
  return { path: pathOf(method), bytes: Buffer.from(toBinary(method.input, create(method.input, request))) };
}
