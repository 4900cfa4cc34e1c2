/** How a call fails, read the same way whichever wire it came over. */

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { ServiceError } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../src/client/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/client/gen/google/rpc/status_pb.ts";

export { Code };

/** Finds the detail of one type, if the error carries it. */
type FindDetail = <D extends DescMessage>(desc: D) => MessageShape<D> | undefined;

export class CallFailure extends Error {
  override readonly name = "CallFailure";
  readonly code: Code;
  /** `ErrorInfo.reason`; empty: there was no ErrorInfo. */
  readonly reason: string;
  /** What `ErrorInfo.metadata` says. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The paths that BadRequest names. */
  readonly fields: readonly string[];
  /** `RetryInfo.retry_delay` in ms; undefined: there was no RetryInfo. */
  readonly retryDelay: number | undefined;
  /** `ResourceInfo.resource_type`; undefined: there was no ResourceInfo. */
  readonly resourceType: string | undefined;

  constructor(code: Code, message: string, find: FindDetail) {
    const info = find(ErrorInfoSchema);
    const delay = find(RetryInfoSchema)?.retryDelay;
    super(`${Code[code]}${info ? ` ${info.reason}` : ""}: ${message}`);
    this.code = code;
    this.reason = info?.reason ?? "";
    this.metadata = info?.metadata ?? {};
    this.fields = find(BadRequestSchema)?.fieldViolations.map(({ field }) => field) ?? [];
    this.retryDelay = delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
    this.resourceType = find(ResourceInfoSchema)?.resourceType;
  }
}

export function fromServiceError(error: ServiceError): CallFailure {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const details = bytes === undefined ? [] : fromBinary(StatusSchema, Buffer.from(bytes as Buffer)).details;
  return new CallFailure(error.code as number as Code, error.details, (desc) => {
    for (const detail of details) {
      const found = anyUnpack(detail, desc);
      if (found) return found;
    }
    return undefined;
  });
}

export function fromConnectError(error: ConnectError): CallFailure {
  return new CallFailure(error.code, error.rawMessage, (desc) => error.findDetails(desc)[0]);
}

/** The failure of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<CallFailure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallFailure) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}
