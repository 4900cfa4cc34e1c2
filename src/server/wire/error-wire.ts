/** Refusals as they travel: the only file of the server that knows the numbers of status codes. */

import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { FALLBACK_RETRY_MS, isNotNow, type KnownReason, REASONS } from "../../reasons/reasons.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.ts";
import type { Refusal, RefusalNumbers } from "../machine/reasons.ts";
import { clip, refusalMessage } from "../machine/refusal-message.ts";
import { microsToDuration } from "./time-wire.ts";

export { Code };

/** What a detail of an error says, before it is packed. */
export interface WireDetail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

/** An error that the caller is meant to see, as every transport sends it. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly code: Code;
  readonly details: readonly WireDetail[];
  /** When a policy that retries by status code alone may send the call again; undefined: the server does not say. */
  readonly retry: Retry | undefined;

  constructor(code: Code, message: string, details: readonly WireDetail[] = [], retry?: Retry) {
    super(message);
    this.code = code;
    this.details = details;
    this.retry = retry;
  }
}

/** ms after which to send a call again, or that this does not help. */
export type Retry = number | "never";

/** What a field of a request did wrong; `field` is its path, as `claims[1].key`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  /** Which rule, for programs. */
  readonly reason: string;
}

const DOMAIN = "ggen.backpressure";

/**
 * What an error says of a request at most: errors travel in headers and trailers, of which clients take a few KB, and end
 * their connection, with every lease on it, where there are more.
 */
const MAX_VIOLATIONS = 8;

const CODES: Record<(typeof REASONS)[KnownReason]["code"], Code> = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  PERMISSION_DENIED: Code.PermissionDenied,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
  FAILED_PRECONDITION: Code.FailedPrecondition,
  ABORTED: Code.Aborted,
  UNAVAILABLE: Code.Unavailable,
  UNAUTHENTICATED: Code.Unauthenticated,
};

/** What is known of an error besides its reason and its words. */
export interface ErrorFacts {
  /** For `ErrorInfo`; what is empty is left out. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** µs after which to ask again, where the reason is a "not now" and the time is known. */
  readonly retryAfter?: number | undefined;
  readonly details?: readonly WireDetail[];
}

/** Returns the error that a reason travels as: every one that the server sends on purpose is made here. */
function reasonError(reason: KnownReason, message: string, facts: ErrorFacts = {}): WireError {
  const code = CODES[REASONS[reason].code];
  const details = [errorInfo(reason, facts.metadata ?? {}), ...(facts.details ?? [])];
  if (!isNotNow(reason)) return new WireError(code, message, details, "never");
  const retryAfter = facts.retryAfter ?? FALLBACK_RETRY_MS * 1000;
  details.push(detail(RetryInfoSchema, { retryDelay: microsToDuration(retryAfter) }));
  return new WireError(code, message, details, Math.ceil(retryAfter / 1000));
}

/** Returns a refusal as the error that it is where it is no answer. */
export function refusalError(refusal: Refusal): WireError {
  const { reason, limiter, key, at, numbers, retryAfter, claim } = refusal;
  const message = refusalMessage(refusal);
  if (reason === "KEY_REQUIRED" || reason === "KEY_NOT_ALLOWED") {
    const field = claim < 0 ? "key" : `claims[${claim}].key`;
    return invalidRequest([{ field, description: message, reason }]);
  }
  const metadata = { limiter, key, ...at, ...numbersInWords(numbers) };
  const { code } = REASONS[reason];
  const details: WireDetail[] = [];
  if (code === "NOT_FOUND" || code === "ALREADY_EXISTS") {
    const [resourceType] = reason.toLowerCase().split("_", 1);
    details.push(detail(ResourceInfoSchema, { resourceType, resourceName: clip(resourceName(refusal, resourceType)) }));
  }
  return reasonError(reason, message, { metadata, retryAfter, details });
}

/** A request that breaks rules of the contract; `violations` is not empty, and the first few of them are reported. */
export function invalidRequest(violations: readonly FieldViolation[]): WireError {
  const fieldViolations = violations
    .slice(0, MAX_VIOLATIONS)
    .map(({ field, description, reason }) => ({ field, description: clip(description), reason }));
  const summary = fieldViolations
    .map(({ field, description }) => (field === "" ? description : `${field}: ${description}`))
    .join("; ");
  return reasonError("INVALID_REQUEST", summary, { details: [detail(BadRequestSchema, { fieldViolations })] });
}

/** Nobody that the server knows. Which part of a credential was wrong is nobody's business. */
export function unauthenticated(): WireError {
  return reasonError(
    "UNAUTHENTICATED",
    "the server does not know who calls: show a token or a client certificate that counts",
  );
}

/** A stream that outlived the credential that it was opened with. */
export function credentialExpired(): WireError {
  return reasonError("CREDENTIAL_EXPIRED", "the credential of this stream counts no more: resume with another one");
}

/** The server is about to stop; `retryAfter` in µs. */
export function draining(retryAfter?: number): WireError {
  return reasonError("DRAINING", "the server is about to stop and takes nothing new; try another, or later", {
    retryAfter,
  });
}

/** The connection has `most` streams that wait, hold or watch, and none ended in time. */
export function tooManyStreams(most: number): WireError {
  const message =
    `this connection has ${most} streams that wait, hold or watch, which is its bound (max_streams_per_connection); end ` +
    "one of them, or open another connection";
  return reasonError("TOO_MANY_STREAMS", message, { metadata: { max_streams: String(most) } });
}

/** The session has `most` commands without a last answer. */
export function tooManyCommands(most: number): WireError {
  const message =
    `this session has ${most} commands without a last answer, which is its bound (max_commands_per_session); wait for some of ` +
    "their answers, or cancel some";
  return reasonError("TOO_MANY_COMMANDS", message, { metadata: { max_commands: String(most) } });
}

/** The access list does not allow it. `resource`: `limiter/payments-db`, `board/releases`, or `*` for all there is. */
export function notAllowed(verb: string, resource: string, key = ""): WireError {
  const of = key === "" ? resource : `${resource} with key ${JSON.stringify(clip(key))}`;
  const message =
    `no entry of the server's access list lets this caller ${verb} ${clip(of)}, whether it exists or not; an operator finds out ` +
    "what it may do with backpressure access";
  return reasonError("NOT_ALLOWED", message, { metadata: { verb, resource, key } });
}

/** Whether an error tells of what there is, and not of the request or of the server. */
export function tellsOfThings({ code }: WireError): boolean {
  return THINGS.has(code);
}

const THINGS: ReadonlySet<Code> = new Set([
  Code.NotFound,
  Code.AlreadyExists,
  Code.FailedPrecondition,
  Code.Aborted,
  Code.ResourceExhausted,
]);

/** The client of a session has cancelled a command. */
export function cancelled(): WireError {
  return new WireError(Code.Canceled, "the command was cancelled by its client");
}

/** A page of another origin calls. `origin`: undefined where its browser does not say it. */
export function foreignPage(origin: string | undefined): WireError {
  const page = origin === undefined ? "a page of another origin" : `a page of ${clip(origin)}`;
  const message = `${page} may not call this server; pages of the origins in listeners.cors_origins may`;
  return reasonError("FOREIGN_PAGE", message, { metadata: { origin: clip(origin ?? "") } });
}

/** The server is called by a name that any page could have made lead to it. */
export function unknownHost(host: string): WireError {
  const message =
    `the server does not know itself as ${clip(host)}, and a page could have any name lead to it (DNS rebinding); ` +
    "add the name to listeners.web_hosts, use an IP address or localhost, or TLS";
  return reasonError("FOREIGN_PAGE", message, { metadata: { host: clip(host) } });
}

/** The call came over HTTP/`came`, which cannot carry its answer; it takes HTTP/`needed`. */
export function httpVersionTooOld(came: string, needed: "1.1" | "2"): WireError {
  const message =
    `the call came over HTTP/${came}, and its answer takes HTTP/${needed}; have what stands between client and server speak ` +
    (needed === "1.1"
      ? "HTTP/1.1 or HTTP/2 to this port (nginx: proxy_http_version 1.1)"
      : "HTTP/2 on both sides, or use the gRPC port");
  return reasonError("HTTP_VERSION_TOO_OLD", message, { metadata: { http_version: came } });
}

/** The server stops before an answer could be given: it is unknown whether the request was carried out. */
export function sentAway(): WireError {
  return reasonError(
    "DRAINING",
    "the server stops before it could keep what was asked, which may be done or not; ask again, with the same request_id " +
      "if there was one",
  );
}

/** What was asked could not be kept in time: the data folder cannot be written now. */
export function notKept(): WireError {
  return reasonError(
    "NOT_KEPT",
    "the server could not write to its data folder in time; it has taken back what it could not keep, and a change may be " +
      "done or not: ask again, with the same request_id if there was one, and look after the server's disk",
  );
}

/** What decides is out of reach: it was not asked, or has not answered. */
export function engineUnavailable(decided: "no" | "unknown"): WireError {
  const message =
    decided === "no"
      ? "the part of the server that decides cannot be reached now; nothing was done: ask again"
      : "the part of the server that decides was lost before it answered, and what was asked may be done or not: ask again, " +
        "with the same request_id if there was one";
  return reasonError("ENGINE_UNAVAILABLE", message);
}

/** A bug, with nothing of its inside: the caller has logged that whole. */
export function internalError(): WireError {
  return new WireError(Code.Internal, "an internal error; the server's log says more");
}

/** The name of the thing of this type that a refusal is about. */
function resourceName({ limiter, at }: Refusal, resourceType: string | undefined): string {
  switch (resourceType) {
    case "board":
      return at?.board ?? "";
    case "stage":
      return at?.stage ?? "";
    case "card":
      return at?.card ?? "";
    default:
      return limiter;
  }
}

/** The numbers under the names of their fields; spans as the JSON form of a Duration has them, `68.2s`. */
function numbersInWords(numbers: RefusalNumbers): Record<string, string> {
  const words: Record<string, string> = {};
  for (const [name, value] of Object.entries(numbers) as [keyof RefusalNumbers, number | undefined][]) {
    if (value === undefined) continue;
    const field = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    words[field] = SPANS.has(name) ? `${value / 1e6}s` : String(value);
  }
  return words;
}

const SPANS: ReadonlySet<keyof RefusalNumbers> = new Set(["estimatedWait", "maxWait", "waited"]);

/** Returns the reason that an error names; undefined: it has none. */
export function reasonOf({ details }: WireError): string | undefined {
  const info = details.find(({ desc }) => desc === ErrorInfoSchema)?.value as { readonly reason?: string } | undefined;
  return info?.reason;
}

function errorInfo(reason: KnownReason, metadata: Readonly<Record<string, string>>): WireDetail {
  const said = Object.fromEntries(
    Object.entries(metadata).flatMap(([name, value]) => (value === "" ? [] : [[name, clip(value)]])),
  );
  return detail(ErrorInfoSchema, { reason, domain: DOMAIN, metadata: said });
}

function detail<D extends DescMessage>(desc: D, value: MessageInitShape<D>): WireDetail {
  return { desc, value };
}
