/** The contract's messages as lines of JSON, by protobuf's own mapping. */

import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";

/** What the server said, whole: fields that are zero are there too. */
export function jsonLine<S extends DescMessage>(schema: S, message: MessageShape<S>): string {
  return JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true }));
}

/** What is known of a message: fields that are not set are not there. */
export function sparseJsonLine<S extends DescMessage>(schema: S, message: MessageShape<S>): string {
  return JSON.stringify(toJson(schema, message));
}
