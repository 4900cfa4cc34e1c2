/** Messages as grpc-js takes them: by the readers and writers that are generated for the hot ones, by protobuf-es for the others. */

import { type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { READERS, WRITERS } from "../../gen/codec.ts";
import type { Read, Write } from "../../protobuf/codec.ts";

/** Returns what encodes messages of a type. */
export function encoderOf(desc: DescMessage): Write {
  return (
    WRITERS.get(desc) ??
    ((message) => {
      const bytes = toBinary(desc, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    })
  );
}

/** Returns what decodes messages of a type. It throws for bytes that are none; grpc-js answers INTERNAL then, as gRPC says. */
export function decoderOf(desc: DescMessage): Read {
  return READERS.get(desc) ?? ((bytes) => fromBinary(desc, bytes, READ_OPTIONS));
}

// What this version does not know is of no use to it, and need not be kept.
const READ_OPTIONS = { readUnknownFields: false };
