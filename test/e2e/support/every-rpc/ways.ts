/** Calls as bytes: in each protocol, over each version of HTTP, by which they can come to a server. */

import { createRegistry, type DescMethod, fromBinary, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../../../../src/server/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../../src/server/gen/google/rpc/status_pb.ts";
import { Code } from "../../../../src/server/wire/error-wire.ts";
import { envelope } from "../../../server/transport/support/http2-client.ts";
import { pathOf } from "../../../support/grpc-client.ts";
import type { Answer, Request } from "./line.ts";

export type Protocol = "grpc" | "grpc-web" | "connect" | "connect-get";

export interface Way {
  readonly name: string;
  readonly port: "grpc" | "web";
  readonly version: "1.1" | "2";
  readonly protocol: Protocol;
  readonly codec: "proto" | "json";
}

export const WAYS: readonly Way[] = [
  way("grpc", "2", "grpc", "proto"),
  way("web", "2", "grpc", "proto"),
  way("web", "2", "grpc", "json"),
  way("web", "1.1", "grpc-web", "proto"),
  way("web", "2", "grpc-web", "proto"),
  way("web", "1.1", "grpc-web", "json"),
  way("web", "1.1", "connect", "proto"),
  way("web", "2", "connect", "proto"),
  way("web", "1.1", "connect", "json"),
  way("web", "2", "connect", "json"),
  way("web", "1.1", "connect-get", "json"),
  way("web", "2", "connect-get", "proto"),
];

function way(port: Way["port"], version: Way["version"], protocol: Protocol, codec: Way["codec"]): Way {
  return { name: `${protocol} with ${codec} over HTTP/${version} to the ${port} port`, port, version, protocol, codec };
}

/** Whether a call of this method can be made so. */
export function carries({ protocol, version }: Way, { methodKind }: DescMethod): boolean {
  if (protocol === "connect-get") return methodKind === "unary";
  return methodKind !== "bidi_streaming" || version === "2";
}

/** What a call came to. */
export interface Heard {
  /** 0: it was served; below 0: a status of HTTP alone. */
  readonly code: number;
  readonly message: string;
  /** As JSON: what the error carries. */
  readonly details: readonly JsonValue[];
  readonly messages: readonly JsonValue[];
}

/** Bytes that no message has; in JSON a text that is none. */
const NO_MESSAGE = { proto: Buffer.from([0xff, 0xff, 0xff, 0xff]), json: Buffer.from("{") };

/** `message`: undefined for bytes that cannot be decoded. */
export function requestOf({ protocol, codec }: Way, method: DescMethod, message: object | undefined): Request {
  const bytes = message === undefined ? NO_MESSAGE[codec] : encode(method, codec, message);
  const path = pathOf(method);
  const isStream = method.methodKind !== "unary";
  switch (protocol) {
    case "grpc":
    case "grpc-web":
      return {
        method: "POST",
        path,
        headers: { "content-type": `application/${protocol}+${codec}`, te: "trailers" },
        body: envelope(bytes),
      };
    case "connect":
      return isStream
        ? { method: "POST", path, headers: { "content-type": `application/connect+${codec}` }, body: envelope(bytes) }
        : { method: "POST", path, headers: { "content-type": `application/${codec}` }, body: bytes };
    case "connect-get": {
      const query = new URLSearchParams({
        connect: "v1",
        encoding: codec,
        base64: "1",
        message: bytes.toString("base64url"),
      });
      return { method: "GET", path: `${path}?${query}`, headers: {}, body: undefined };
    }
  }
}

function encode(method: DescMethod, codec: Way["codec"], message: object): Buffer {
  if (codec === "proto") return Buffer.from(toBinary(method.input, message as never));
  return Buffer.from(JSON.stringify(toJson(method.input, message as never)));
}

/** Returns the whole messages of a stream that have come, so that one that stays open can be left. */
export function messagesIn(way: Way, method: DescMethod, body: Buffer): readonly JsonValue[] {
  const end = way.protocol === "connect" ? CONNECT_END : WEB_TRAILERS;
  return envelopesOf(body)
    .filter(({ flags }) => (flags & end) === 0)
    .map(({ bytes }) => decode(way, method, bytes));
}

function decode({ codec }: Way, method: DescMethod, bytes: Buffer): JsonValue {
  if (codec === "json") return JSON.parse(String(bytes));
  return toJson(method.output, fromBinary(method.output, bytes), { registry: DETAILS });
}

const CONNECT_END = 2;
const WEB_TRAILERS = 0x80;

/** Throws where the answer is none of the way's protocol. */
export function read(way: Way, method: DescMethod, { status, headers, body }: Answer): Heard {
  const { protocol } = way;
  if (Number.isNaN(status)) throw new Error("the connection ended without an answer");
  if (!protocol.startsWith("grpc") && method.methodKind === "unary") {
    if (status === 200) return { ...SERVED, messages: [decode(way, method, body)] };
    return body.byteLength === 0 ? { ...SERVED, code: -status } : connectFailure(JSON.parse(String(body)));
  }
  const messages = messagesIn(way, method, body);
  if (protocol === "connect") {
    const last = envelopesOf(body).find(({ flags }) => (flags & CONNECT_END) !== 0);
    const { error } = last === undefined ? {} : JSON.parse(String(last.bytes));
    return { ...(error === undefined ? SERVED : connectFailure(error)), messages };
  }
  const trailers = envelopesOf(body).find(({ flags }) => (flags & WEB_TRAILERS) !== 0);
  const fields: Answer["headers"] = { ...headers, ...(trailers && headersIn(String(trailers.bytes))) };
  // A stream that was left while it was open has no status.
  const { "grpc-status": code = "0", "grpc-message": message = "" } = fields;
  return { code: Number(code), message: decodeURIComponent(message), details: grpcDetails(fields), messages };
}

const SERVED: Heard = { code: 0, message: "", details: [], messages: [] };
const DETAILS = createRegistry(file_google_rpc_error_details);

interface ConnectFailure {
  readonly code: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

function connectFailure({ code: name, message = "", details = [] }: ConnectFailure): Heard {
  const words = name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const code = Code[words as keyof typeof Code];
  if (code === undefined) throw new Error(`no code of Connect: ${name}`);
  return {
    code,
    message,
    details: details.map(({ type, value }) => detailOf(type, Buffer.from(value, "base64"))),
    messages: [],
  };
}

function grpcDetails({ "grpc-status-details-bin": base64 = "" }: Answer["headers"]): readonly JsonValue[] {
  const { details } = fromBinary(StatusSchema, Buffer.from(base64, "base64"));
  return details.map(({ typeUrl, value }) => detailOf(typeUrl.slice(typeUrl.indexOf("/") + 1), Buffer.from(value)));
}

function detailOf(type: string, bytes: Buffer): JsonValue {
  const schema = DETAILS.getMessage(type);
  if (schema === undefined) throw new Error(`no such detail of errors: ${type}`);
  return toJson(schema, fromBinary(schema, bytes));
}

function headersIn(text: string): Record<string, string> {
  const pairs = text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    });
  return Object.fromEntries(pairs);
}

function envelopesOf(body: Buffer): readonly { readonly flags: number; readonly bytes: Buffer }[] {
  const found = [];
  for (let at = 0; body.length >= at + 5; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (body.length < end) break;
    found.push({ flags: body.readUInt8(at), bytes: body.subarray(at + 5, end) });
    at = end;
  }
  return found;
}
