/**
 * What those need who extend the client: the services of the contract, for calls that it does not make, and what another
 * implementation of `AdmissionController` is made of.
 */

export { toClientError } from "./error-wire.ts";
export type { AdmissionErrorInit } from "./errors.ts";
export { AdmissionService } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
export { BoardService } from "./gen/ggen/backpressure/v1/board_service_pb.ts";
export { LimiterService } from "./gen/ggen/backpressure/v1/limiter_service_pb.ts";
export { createRefusal, type RefusalWords } from "./refusal.ts";
