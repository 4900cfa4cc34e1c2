/** One request that is wrong, with what the contract says to it. */

import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { type CallFailure, Code, failureOf } from "../../support/call-failure.ts";
import type { ContractClient } from "../../support/contract-client.ts";

export interface MalformedRequest {
  readonly name: string;
  readonly answer: Answer;
  /** JSON has no way to say it, and the libraries refuse to try. */
  readonly binaryOnly: boolean;
  /** Sends it and resolves with how it failed. */
  send(client: ContractClient): Promise<CallFailure>;
}

export type Answer = Partial<Pick<CallFailure, "code" | "reason" | "fields" | "retryDelay" | "resourceType">>;

type Unary<I extends DescMessage> = DescMethodUnary<I, DescMessage>;
type Streaming<I extends DescMessage> = DescMethodServerStreaming<I, DescMessage>;

/** A request that is wrong, and what is said to it. */
export function malformed<I extends DescMessage>(
  name: string,
  method: Unary<I> | Streaming<I>,
  request: MessageInitShape<I>,
  answer: Answer,
  { binaryOnly = false } = {},
): MalformedRequest {
  return {
    name: `${method.name}: ${name}`,
    answer,
    binaryOnly,
    async send(client) {
      if (method.methodKind === "unary") return failureOf(client.call(method, request));
      const failure = await client.open(method, request).ending;
      if (failure === undefined) throw new Error("the stream ended with OK");
      return failure;
    },
  };
}

/** INVALID_ARGUMENT that names these fields; an empty one is the message itself. */
export function invalid(...fields: string[]): Answer {
  return { code: Code.InvalidArgument, reason: "INVALID_REQUEST", fields };
}

export function notFound(reason: string): Answer {
  return { code: Code.NotFound, reason, resourceType: reason.split("_")[0]?.toLowerCase() };
}

export const MEGABYTE = "x".repeat(1_000_000);
/** Durations. */
export const PAST = { seconds: -1n };
export const MILLISECOND = { nanos: 1e6 };
export const DAY_AND_MORE = { seconds: 86_401n };
