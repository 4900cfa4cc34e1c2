/**
 * Messages of OTLP, decoded by the descriptors that OpenTelemetry publishes. These stand in
 * `descriptors.binpb` as the package opentelemetry-proto 1.45.2 has them (Copyright The OpenTelemetry Authors, Apache-2.0): a
 * FileDescriptorSet of traces, metrics and what both need.
 */

import { readFileSync } from "node:fs";
import { createFileRegistry, type DescMessage, fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const files = fromBinary(FileDescriptorSetSchema, readFileSync(new URL("descriptors.binpb", import.meta.url)));
for (const { messageType } of files.file) nameForJson(messageType);
const registry = createFileRegistry(files);

/** The names that every compiler adds were left out. */
function nameForJson(messages: readonly DescriptorProto[]): void {
  for (const { field: fields, nestedType } of messages) {
    for (const field of fields) field.jsonName = field.name.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase());
    nameForJson(nestedType);
  }
}

/** Returns a message of OTLP as JSON, where numbers of 64 bits are texts. Fails for fields that OTLP does not have. */
export function decodeOtlp(typeName: string, bytes: Uint8Array): JsonObject {
  const message = fromBinary(otlpMessage(typeName), bytes);
  const unknown = unknownFields(message);
  if (unknown.length > 0) throw new Error(`OTLP has no such fields: ${unknown.join(", ")}`);
  return toJson(otlpMessage(typeName), message) as JsonObject;
}

function otlpMessage(typeName: string): DescMessage {
  const desc = registry.getMessage(`opentelemetry.proto.${typeName}`);
  if (desc === undefined) throw new Error(`OTLP has no ${typeName}`);
  return desc;
}

function unknownFields(value: unknown): string[] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  const { $typeName, $unknown = [] } = value as { $typeName?: string; $unknown?: readonly { readonly no: number }[] };
  const own = $unknown.map(({ no }) => `${$typeName}.${no}`);
  return [
    ...own,
    ...Object.entries(value).flatMap(([name, inner]) => (name === "$unknown" ? [] : unknownFields(inner))),
  ];
}
