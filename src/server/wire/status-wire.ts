/** Errors as `google.rpc.Status`, with their details. */

import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.ts";
import type { WireError } from "./error-wire.ts";

/** Returns an error as a message. Half a surrogate pair in its words cannot be sent, and is replaced. */
export function statusToWire({ code, message, details }: WireError): Status {
  const packed = details.map(({ desc, value }) => anyPack(desc, create(desc, value)));
  return create(StatusSchema, { code, message: message.toWellFormed(), details: packed });
}

/** What has ended as its client wished. */
export const OK: Status = create(StatusSchema, {});
