/**
 * A receiver of OTLP over HTTP: it decodes what it is sent by the descriptors that OpenTelemetry publishes. These stand in
 * `descriptors.binpb` as the package opentelemetry-proto 1.45.2 has them (Copyright The OpenTelemetry Authors, Apache-2.0): a
 * FileDescriptorSet of traces, metrics and what both need.
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { createFileRegistry, type DescMessage, fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { onTestFinished } from "vitest";

const files = fromBinary(FileDescriptorSetSchema, readFileSync(new URL("descriptors.binpb", import.meta.url)));
for (const { messageType } of files.file) nameFields(messageType);
const registry = createFileRegistry(files);

/** The descriptors leave out the names in JSON, which follow from the others. */
function nameFields(messages: readonly DescriptorProto[]): void {
  for (const { field, nestedType } of messages) {
    for (const one of field) one.jsonName ||= one.name.replaceAll(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    nameFields(nestedType);
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

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface OtlpReceiver {
  /** http://host:port */
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** What it answers from here on. Before: 200. */
  status: number;
}

/** Ends with the test. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const requests: ReceivedRequest[] = [];
  const receiver = { status: 200 };
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    requests.push({ path: request.url ?? "", headers: request.headers, body });
    response.writeHead(receiver.status, { "content-type": "application/x-protobuf" });
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(receiver, { url: `http://127.0.0.1:${port}`, requests });
}
