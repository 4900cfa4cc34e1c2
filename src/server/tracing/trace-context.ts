/** The headers of W3C Trace Context: which trace a call belongs to, and whether that is sampled. */

/** The span of a sampled call, as what belongs to it names it. A plain value, which crosses to other threads. */
export interface TraceContext {
  /** 32 digits of lower-case hexadecimal, not all zero. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** The trace's `tracestate`, as it came; empty: none. */
  readonly state: string;
}

/** What a `traceparent` says. */
export interface TraceParent {
  readonly traceId: string;
  /** Of the caller's span. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Version, trace, span and flags. What a later version adds stands behind another hyphen. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NOT_A_VERSION = "ff";
const FIRST_VERSION = "00";
const ZEROS = /^0+$/;
/** Where the last digit of the flags stands, whose lowest bit says "sampled". */
const SAMPLED_AT = 54;
/** No version has a longer one. */
const LONGEST_PARENT = 256;
/** As much of it as everyone passes on; what is longer is left out whole, as the standard allows. */
const LONGEST_STATE = 512;

/** Whether a `traceparent`, if it is a valid one, says that its call is sampled. Costs a look at one character. */
export function mayBeSampled(traceparent: string): boolean {
  const digit = traceparent.charCodeAt(SAMPLED_AT);
  // Of 1 and of b, d and f alike the lowest bit is set where that of the digit is, a to f being shifted by one.
  return digit < 0x3a ? (digit & 1) === 1 : (digit & 1) === 0;
}

/** Returns what a `traceparent` says; undefined: it is malformed, which counts as none. */
export function readTraceparent(text: string): TraceParent | undefined {
  if (text.length > LONGEST_PARENT) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || version === NOT_A_VERSION) return undefined;
  if (version === FIRST_VERSION && more !== undefined) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Returns a `tracestate` that may be passed on. */
export function readTracestate(text: string | undefined): string {
  return text !== undefined && text.length <= LONGEST_STATE && /^[ -~]*$/.test(text) ? text : "";
}
