/** What the server carries, in the words of the contract. */

import { create } from "@bufbuild/protobuf";
import {
  type ServerLoad as ServerLoadMessage,
  ServerLoadSchema,
} from "../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { ServerLoad } from "../load.ts";
import { microsToDuration } from "../wire/time-wire.ts";

export function serverLoadMessage(load: ServerLoad): ServerLoadMessage {
  const { streams, connections, loopDelay, heapUsed, heapTotal, storeBytes } = load;
  return create(ServerLoadSchema, {
    streams: streams.map(([method, open]) => ({ method, open })),
    grpcConnections: connections.grpc,
    webConnections: connections.web,
    eventLoopDelay: {
      p50: microsToDuration(loopDelay.p50),
      p99: microsToDuration(loopDelay.p99),
      longest: microsToDuration(loopDelay.longest),
      thread: loopDelay.thread,
    },
    heapUsedBytes: BigInt(heapUsed),
    heapTotalBytes: BigInt(heapTotal),
    ...(storeBytes !== undefined && { storeBytes: BigInt(storeBytes) }),
  });
}
