/** What the span of a call says: by OpenTelemetry's stable conventions for RPC (1.45), and of admission in words of this server's own. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { Reason } from "../gen/ggen/backpressure/v1/reason_pb.ts";
import type { Attributes } from "../tracing/span.ts";
import type { SpanWords } from "../tracing/tracer.ts";
import { WORDS } from "../tracing/words.ts";
import { type Code, reasonOf, type WireError } from "../wire/error-wire.ts";
import { reasonName } from "../wire/reason-name.ts";
import { connectCodeName, grpcCodeName, isServerFault } from "../wire/status-name.ts";
import type { Call } from "./rpc.ts";

/** How a call has ended. */
export interface Outcome {
  /** Undefined: OK. */
  readonly error?: WireError | undefined;
  /** The code of an end that no service has chosen. */
  readonly code?: Code | undefined;
  /** Why what was asked is not granted, where that is an answer. */
  readonly reason?: string | undefined;
}

/** Where calls come to. */
export interface Port {
  /** Whether it is gRPC's own, so that calls say nothing of their protocol. */
  readonly isGrpc: boolean;
  /** Where it listens; undefined: it does not yet. */
  readonly at: () => { readonly host: string; readonly port: number } | undefined;
}

/** Returns what the conventions want to know of a call, whatever it is. */
export function rpcAttributes(call: Call, { isGrpc, at }: Port): Attributes {
  const { peer } = call;
  const server = at();
  const colon = peer.lastIndexOf(":");
  const port = Number(peer.slice(colon + 1));
  // gRPC-Web is gRPC by another carrier.
  const speaksGrpc = isGrpc || call.header("content-type")?.startsWith("application/grpc");
  return {
    "rpc.system.name": speaksGrpc ? "grpc" : CONNECT,
    "server.address": server?.host,
    "server.port": server?.port,
    "network.peer.address": colon > 0 ? peer.slice(0, colon).replaceAll(/[[\]]/g, "") : undefined,
    "network.peer.port": colon > 0 && Number.isInteger(port) ? port : undefined,
  };
}

/** Returns the words of a span: `attributes` are those of the call and of its request. */
export function serverSpan(method: DescMethod | string, attributes: Attributes, outcome: Outcome): SpanWords {
  const name = typeof method === "string" ? method : `${method.parent.typeName}/${method.name}`;
  const code = outcome.error?.code ?? outcome.code;
  const status = attributes["rpc.system.name"] === CONNECT ? connectCodeName(code) : grpcCodeName(code);
  const isError = isServerFault(code);
  return {
    name,
    isError,
    attributes: {
      ...attributes,
      "rpc.method": name,
      "rpc.response.status_code": status,
      "error.type": isError ? status : undefined,
      [WORDS.reason]: outcome.reason ?? (outcome.error && reasonOf(outcome.error)),
    },
  };
}

const CONNECT = "connectrpc";

/** Returns what a span says of a request: which limiters, board or lease it is about, and never a secret or a key. */
export function requestAttributes(request: unknown): Attributes {
  const { claims, leaseId, resume, board, stage, cardId } = request as Partial<Request>;
  return {
    ...(claims !== undefined && claims.length > 0 ? claimAttributes(claims) : {}),
    [WORDS.lease]: textOf(leaseId) ?? textOf(resume?.leaseId),
    [WORDS.board]: textOf(board),
    [WORDS.stage]: textOf(stage),
    [WORDS.card]: textOf(cardId) ?? textOf(resume?.cardId),
  };
}

interface Request {
  readonly claims: readonly { readonly limiter: string; readonly permits?: number; readonly tokens?: number }[];
  readonly leaseId: string;
  readonly resume: { readonly leaseId?: string; readonly cardId?: string };
  /** Of some requests a message. */
  readonly board: unknown;
  readonly stage: string;
  readonly cardId: string;
}

/** A claim that does not say how many asks for one. */
function claimAttributes(claims: Request["claims"]): Attributes {
  return {
    [WORDS.limiters]: claims.map(({ limiter }) => limiter),
    [WORDS.permits]: claims.map(({ permits = 1 }) => permits),
    [WORDS.tokens]: claims.map(({ tokens = 1 }) => tokens),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Returns how an answer tells that nothing was granted, or with which error a command of a session has failed. */
export function outcomeOf(answer: unknown): Outcome {
  const { result } = (answer ?? {}) as {
    readonly result?: { readonly case?: string; readonly value?: { reason?: Reason } };
  };
  const isRefusal = result?.case === "refused" || result?.case === "none";
  return { reason: isRefusal ? reasonName(result.value?.reason) : undefined };
}
