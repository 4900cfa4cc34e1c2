/**
 * The services of the contract. The package has them as one module that shares none with the client (`tools/build.ts`): a
 * bundler puts what the client loads late into a page's first file, if anything there could import it.
 */

export { AdmissionService } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
export { BoardService } from "./gen/ggen/backpressure/v1/board_service_pb.ts";
export { LimiterService } from "./gen/ggen/backpressure/v1/limiter_service_pb.ts";
