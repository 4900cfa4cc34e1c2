/**
 * What extensions of the client need: the services of the contract, for calls that it does not make, and what another
 * implementation of `AdmissionController` is made of.
 */

export type { AdmissionErrorInit } from "./api/errors.ts";
export { createRefusal, type RefusalWords } from "./api/refusal.ts";
export { AdmissionService, BoardService, LimiterService } from "./services.ts";
export { toClientError } from "./wire/error.ts";
