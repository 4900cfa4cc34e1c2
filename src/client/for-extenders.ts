/**
 * What extensions of the client need: the services of the contract, for calls that it does not make, and what another
 * implementation of `AdmissionController` is made of.
 */

export { toClientError } from "./error-wire.ts";
export type { AdmissionErrorInit } from "./errors.ts";
export { createRefusal, type RefusalWords } from "./refusal.ts";
export { AdmissionService, BoardService, LimiterService } from "./services.ts";
