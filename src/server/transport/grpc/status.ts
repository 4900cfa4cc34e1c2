/** Errors as gRPC sends them: a code, a message, and `google.rpc.Status` with its details in a trailer. */

import { toBinary } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { WireError } from "../../wire/error-wire.ts";
import { statusToWire } from "../../wire/status-wire.ts";
import { PUSHBACK_KEY, pushbackOf } from "../rpc/pushback.ts";
import { Trailers } from "./trailers.ts";

const DETAILS_KEY = "grpc-status-details-bin";

export function statusOf(error: WireError): ServiceError {
  const metadata = new Trailers();
  // The message is percent-encoded on its way, and half a surrogate pair cannot be.
  const message = error.message.toWellFormed();
  if (error.details.length > 0) {
    metadata.set(DETAILS_KEY, Buffer.from(toBinary(StatusSchema, statusToWire(error))));
  }
  if (error.retry !== undefined) metadata.set(PUSHBACK_KEY, pushbackOf(error.retry));
  return { name: error.name, code: Number(error.code), details: message, message, metadata };
}
