/** Messages of protobuf-es as grpc-js takes them. */

import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";

export function encode(desc: DescMessage, message: Message): Buffer {
  const bytes = toBinary(desc, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws for bytes that are no such message; grpc-js answers INTERNAL then, as gRPC says. */
export function decode(desc: DescMessage, bytes: Uint8Array): Message {
  return fromBinary(desc, bytes, READ_OPTIONS);
}

// What this version does not know is of no use to it, and need not be kept.
const READ_OPTIONS = { readUnknownFields: false };
