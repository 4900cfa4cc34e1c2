/** A gRPC port in a process of its own, so that it can die alone: says where it listens, and ends with its parent. */

import { create } from "@bufbuild/protobuf";
import { createSystemClock } from "../../../../src/server/clock.ts";
import {
  AdmissionService,
  TryAcquireResponseSchema,
} from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createLog } from "../../../../src/server/log.ts";
import { createRpcService } from "../../../../src/server/service/rpc.ts";
import { createGrpcTransport } from "../../../../src/server/transport/grpc/transport.ts";
import { createConnectionPlaces } from "../../../../src/server/transport/port/connection-places.ts";
import { createCallTimes } from "../../../../src/server/transport/rpc/call-times.ts";

const clock = createSystemClock();
const transport = createGrpcTransport({
  services: [createRpcService(AdmissionService, { tryAcquire: () => create(TryAcquireResponseSchema) })],
  places: createConnectionPlaces(1_000),
  limits: {
    maxMessageBytes: 64 * 1024,
    maxStreamsPerConnection: 1000,
    maxConnections: 1000,
    maxMetadataBytes: 16 * 1024,
  },
  liveness: { keepaliveTime: 10_000_000, keepaliveTimeout: 5_000_000 },
  times: createCallTimes(clock),
  clock,
  log: createLog("error"),
});
process.send?.(await transport.listen("127.0.0.1:0"));
process.on("disconnect", () => process.exit());
