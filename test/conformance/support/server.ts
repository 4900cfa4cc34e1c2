/**
 * A server of the suite's service on one of the product's ports, as the suite's runner starts it: it reads from standard input
 * what is wanted, and says on standard output where it listens.
 * `node --import metadata.ts server.ts grpc|web IMAGE`.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createSystemClock } from "../../../src/server/clock.ts";
import { createLog } from "../../../src/server/log.ts";
import { createGrpcTransport } from "../../../src/server/transport/grpc/transport.ts";
import { createConnectionPlaces } from "../../../src/server/transport/port/connection-places.ts";
import type { TransportOptions } from "../../../src/server/transport/port/options.ts";
import { createCallTimes, type Timed } from "../../../src/server/transport/rpc/call-times.ts";
import { createWebTransport } from "../../../src/server/transport/web/transport.ts";
import { readContract, type ServerCompatRequest } from "./contract.ts";
import { readMessages, withLength } from "./messages.ts";
import { messages } from "./observed-router.ts";
import { createConformanceService } from "./service.ts";

/** Bytes of a message, unless the suite says otherwise. */
const MAX_MESSAGE_BYTES = 1 << 20;

const [port, image = ""] = process.argv.slice(2);
const contract = readContract(image);
const { value: asked } = await readMessages(process.stdin).next();
if (!asked) throw new Error("standard input has ended before the request");
const wanted = fromBinary(contract.message("ServerCompatRequest"), asked) as ServerCompatRequest;
messages.registry = contract.registry;
const clock = createSystemClock();
const options: TransportOptions & Timed = {
  services: [createConformanceService(contract)],
  places: createConnectionPlaces(1_000),
  limits: {
    maxMessageBytes: wanted.messageReceiveLimit || MAX_MESSAGE_BYTES,
    maxStreamsPerConnection: 1000,
    maxConnections: 1000,
    maxMetadataBytes: 16 * 1024,
  },
  liveness: { keepaliveTime: 10_000_000, keepaliveTimeout: 5_000_000 },
  // Standard output is the runner's.
  log: createLog("silent"),
  times: createCallTimes(clock),
  clock,
};
const transport =
  port === "grpc"
    ? createGrpcTransport(options)
    : createWebTransport({ ...options, cors: { origins: [], headers: [] }, hosts: [] });
const address = await transport.listen("127.0.0.1:0");
const response = contract.message("ServerCompatResponse");
process.stdout.write(withLength(toBinary(response, create(response, { ...address }))));
process.once("SIGTERM", () => process.exit());
