/** Calls that no library makes, and what must come of each. */

import type { OutgoingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { envelope } from "../../server/transport/support/http2-client.ts";
import { pathOf } from "../../support/grpc-client.ts";

/** `grpc` is a status of gRPC, `http` one of HTTP, `reset` a code of RST_STREAM. */
export type Answer = { readonly grpc: status } | { readonly http: number } | { readonly reset: number };

export interface Abuse {
  readonly name: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Headers that are left out. */
  readonly without?: readonly string[];
  readonly body: Buffer;
  readonly trailers?: OutgoingHttpHeaders;
  readonly answer: Answer;
  /** Where the web port answers otherwise: connect-node, and no compression. */
  readonly webAnswer?: Answer;
}

export const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
const MAX_MESSAGE = 1 << 20;

const CLAIM = { claims: [{ limiter: "db" }] };
const RIGHT = bytesOf(CLAIM);
const GZIP = { "grpc-encoding": "gzip" };
const grpc = (code: status): Answer => ({ grpc: code });
const PROTOCOL_ERROR = 1;
const ENHANCE_YOUR_CALM = 11;

export const ABUSES: readonly Abuse[] = [
  {
    name: "a message of a byte too many",
    body: envelope(Buffer.alloc(MAX_MESSAGE + 1)),
    answer: grpc(status.RESOURCE_EXHAUSTED),
  },
  {
    name: "a message that says that it has 4 GB",
    body: envelope(RIGHT, 0, 2 ** 32 - 1),
    answer: grpc(status.RESOURCE_EXHAUSTED),
  },
  {
    name: "a bomb: 64 MB in 64 KB",
    headers: GZIP,
    body: envelope(gzipSync(Buffer.alloc(64 << 20)), 1),
    answer: grpc(status.RESOURCE_EXHAUSTED),
    webAnswer: grpc(status.UNIMPLEMENTED),
  },
  {
    name: "compressed, and no gzip",
    headers: GZIP,
    body: envelope(RIGHT, 1),
    answer: grpc(status.INTERNAL),
    webAnswer: grpc(status.UNIMPLEMENTED),
  },
  { name: "compressed, and not said how", body: envelope(gzipSync(RIGHT), 1), answer: grpc(status.INTERNAL) },
  {
    name: "an unknown compression",
    headers: { "grpc-encoding": "lzma" },
    body: envelope(RIGHT, 1),
    answer: grpc(status.UNIMPLEMENTED),
  },
  {
    name: "flags that there are not",
    body: envelope(RIGHT, 0xfe),
    answer: grpc(status.OK),
  },
  {
    name: "a string that is no UTF-8",
    body: envelope(Buffer.concat([RIGHT, Buffer.from([0x12, 2, 0xc3, 0x28])])),
    answer: grpc(status.INTERNAL),
  },
  { name: "a varint without end", body: envelope(Buffer.alloc(1_000, 0xff)), answer: grpc(status.INTERNAL) },
  { name: "groups 10,000 deep", body: envelope(Buffer.alloc(10_000, 0x7b)), answer: grpc(status.INTERNAL) },
  { name: "messages 10,000 deep", body: envelope(nested(10_000)), answer: grpc(status.INTERNAL) },
  { name: "a length beyond the end", body: envelope(Buffer.from([0x0a, 0x7f])), answer: grpc(status.INTERNAL) },
  {
    name: "a claim too many",
    body: envelope(bytesOf({ claims: Array.from({ length: 9 }, (_, i) => ({ limiter: `l${i}` })) })),
    answer: grpc(status.INVALID_ARGUMENT),
  },
  {
    name: "100,000 claims",
    body: envelope(Buffer.from("0a050a03612d62".repeat(100_000), "hex")),
    answer: grpc(status.INVALID_ARGUMENT),
  },
  { name: "text/plain", headers: { "content-type": "text/plain" }, body: envelope(RIGHT), answer: { http: 415 } },
  { name: "no content type", without: ["content-type"], body: envelope(RIGHT), answer: { http: 415 } },
  {
    name: "a timeout that is none",
    headers: { "grpc-timeout": "soon" },
    body: envelope(RIGHT),
    answer: grpc(status.INTERNAL),
    webAnswer: grpc(status.INVALID_ARGUMENT),
  },
  // What is answered at once is answered before any timer.
  {
    name: "a timeout of nothing",
    headers: { "grpc-timeout": "0n" },
    body: envelope(RIGHT),
    answer: grpc(status.OK),
  },
  {
    name: "a timeout of eleven thousand years",
    headers: { "grpc-timeout": "99999999H" },
    body: envelope(RIGHT),
    answer: grpc(status.OK),
  },
  {
    name: "an authority that no URL can have",
    headers: { ":authority": "a:99999" },
    body: envelope(RIGHT),
    answer: grpc(status.OK),
  },
  { name: "no :path", without: [":path"], body: envelope(RIGHT), answer: { reset: PROTOCOL_ERROR } },
  { name: "no :method", without: [":method"], body: envelope(RIGHT), answer: { reset: PROTOCOL_ERROR } },
  { name: "no :scheme", without: [":scheme"], body: envelope(RIGHT), answer: { reset: PROTOCOL_ERROR } },
  {
    name: "GET",
    headers: { ":method": "GET" },
    body: envelope(RIGHT),
    answer: grpc(status.INTERNAL),
    webAnswer: { http: 405 },
  },
  {
    name: "an unknown method",
    headers: { ":path": `${TRY_ACQUIRE}s` },
    body: envelope(RIGHT),
    answer: grpc(status.UNIMPLEMENTED),
  },
  {
    name: "a path that is none",
    headers: { ":path": "*" },
    body: envelope(RIGHT),
    answer: { reset: PROTOCOL_ERROR },
  },
  {
    name: "60 KB of metadata",
    headers: { "x-large": "x".repeat(60_000) },
    body: envelope(RIGHT),
    answer: { reset: ENHANCE_YOUR_CALM },
  },
  { name: "trailers behind a request", body: envelope(RIGHT), trailers: { "x-late": "1" }, answer: grpc(status.OK) },
  { name: "no message at all", body: Buffer.alloc(0), answer: grpc(status.UNIMPLEMENTED) },
  { name: "two messages", body: Buffer.concat([envelope(RIGHT), envelope(RIGHT)]), answer: grpc(status.UNIMPLEMENTED) },
  {
    name: "half a message",
    body: envelope(RIGHT).subarray(0, 8),
    answer: grpc(status.UNIMPLEMENTED),
    webAnswer: grpc(status.INVALID_ARGUMENT),
  },
  {
    name: "half an envelope",
    body: envelope(RIGHT).subarray(0, 3),
    answer: grpc(status.UNIMPLEMENTED),
    webAnswer: grpc(status.INVALID_ARGUMENT),
  },
];

/** Requests that never come to an end, each of which holds its stream until the server closes it. */
export const NEVER_ENDING: readonly (Buffer | undefined)[] = [
  undefined,
  envelope(RIGHT).subarray(0, 7),
  envelope(RIGHT, 0, 2 ** 32 - 1),
  envelope(RIGHT, 0, 500_000),
];

function bytesOf(init: Parameters<typeof create<typeof TryAcquireRequestSchema>>[1]): Buffer {
  return Buffer.from(toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, init)));
}

/** Submessages of field 1, from the innermost out. */
function nested(depth: number): Buffer {
  const heads: number[][] = [];
  for (let level = 0, length = 0; level < depth; level += 1) {
    const head = [0x0a];
    for (let rest = length; ; rest >>>= 7) {
      head.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
      if (rest < 0x80) break;
    }
    heads.push(head);
    length += head.length;
  }
  return Buffer.from(heads.reverse().flat());
}
