/** Writes spans as an `ExportTraceServiceRequest` of OTLP, in protobuf, and reads what a receiver says against them. */

import type { Resource } from "../otlp/resource.ts";
import { Reader } from "../protobuf/reader.ts";
import { Writer } from "../protobuf/writer.ts";
import { VERSION } from "../version.ts";
import type { AttributeValue, Span } from "./span.ts";

const writer = new Writer();

export function encodeSpans(spans: readonly Span[], { attributes }: Resource): Uint8Array<ArrayBuffer> {
  writer.begin();
  const resourceSpans = writer.fork(RESOURCE_SPANS);
  const resource = writer.fork(RESOURCE);
  for (const [key, value] of Object.entries(attributes)) writeAttribute(RESOURCE_ATTRIBUTE, key, value);
  writer.join(resource);
  const scopeSpans = writer.fork(SCOPE_SPANS);
  const scope = writer.fork(SCOPE);
  writer.string(SCOPE_NAME, "ggen-backpressure");
  writer.string(SCOPE_VERSION, VERSION);
  writer.join(scope);
  for (const span of spans) writeSpan(span);
  writer.string(SCHEMA_URL, "https://opentelemetry.io/schemas/1.45.0");
  writer.join(scopeSpans);
  writer.join(resourceSpans);
  return new Uint8Array(writer.finish());
}

function writeSpan({ context, parentSpanId, isParentRemote, kind, name, start, end, attributes, isError }: Span): void {
  const span = writer.fork(SPAN);
  writer.bytes(TRACE_ID, Buffer.from(context.traceId, "hex"));
  writer.bytes(SPAN_ID, Buffer.from(context.spanId, "hex"));
  if (context.state !== "") writer.string(TRACE_STATE, context.state);
  if (parentSpanId !== "") writer.bytes(PARENT_SPAN_ID, Buffer.from(parentSpanId, "hex"));
  writer.string(NAME, name.toWellFormed());
  writer.uint32(KIND, KINDS[kind]);
  writer.raw(fixed(start, end, SAMPLED | KNOWS_REMOTE | (isParentRemote ? IS_REMOTE : 0)));
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) writeAttribute(ATTRIBUTE, key, value);
  }
  if (isError) {
    const status = writer.fork(STATUS);
    writer.uint32(STATUS_CODE, ERROR);
    writer.join(status);
  }
  writer.join(span);
}

/** The fields of fixed length: start, end and flags. */
function fixed(start: number, end: number, flags: number): Buffer {
  const bytes = Buffer.alloc(24);
  bytes[0] = START_TIME;
  bytes.writeBigUInt64LE(nanos(start), 1);
  bytes[9] = END_TIME;
  bytes.writeBigUInt64LE(nanos(end), 10);
  // The number of this field takes two bytes.
  bytes[18] = (FLAGS & 0x7f) | 0x80;
  bytes[19] = FLAGS >> 7;
  bytes.writeUInt32LE(flags, 20);
  return bytes;
}

/** Of ms since 1970, which a double knows to less than a µs. */
function nanos(millis: number): bigint {
  return BigInt(Math.round(millis * 1_000)) * 1_000n;
}

function writeAttribute(tag: number, key: string, value: AttributeValue): void {
  const start = writer.fork(tag);
  writer.string(KEY, key);
  writeValue(VALUE, value);
  writer.join(start);
}

function writeValue(tag: number, value: AttributeValue): void {
  const start = writer.fork(tag);
  switch (typeof value) {
    case "string":
      writer.string(STRING_VALUE, value.toWellFormed());
      break;
    case "boolean":
      writer.bool(BOOL_VALUE, value);
      break;
    case "number":
      if (Number.isSafeInteger(value)) writer.int64(INT_VALUE, BigInt(value));
      else writer.double(DOUBLE_VALUE, value);
      break;
    default: {
      const list = writer.fork(ARRAY_VALUE);
      for (const item of value) writeValue(ARRAY_ITEM, item);
      writer.join(list);
    }
  }
  writer.join(start);
}

/** Returns what a receiver that has taken a message says against some of its spans; undefined: nothing. */
export function complaintOf(answer: Uint8Array): string | undefined {
  try {
    return readComplaint(answer);
  } catch {
    // Whatever it is, the spans were taken.
    return undefined;
  }
}

function readComplaint(answer: Uint8Array): string | undefined {
  const reader = new Reader();
  let end = reader.begin(answer);
  let rejected = 0n;
  let words = "";
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === PARTIAL_SUCCESS) end = reader.enter();
    else if (tag === REJECTED) rejected = reader.int64();
    else if (tag === WORDS) words = reader.string();
    else reader.skip(tag);
  }
  return rejected === 0n && words === "" ? undefined : `${rejected} rejected: ${words}`;
}

const LENGTH_DELIMITED = 2;
const FIXED64 = 1;
const FIXED32 = 5;
const VARINT = 0;
/** The number of a field, and how its value is written. */
const tag = (field: number, type: number) => (field << 3) | type;

const RESOURCE_SPANS = tag(1, LENGTH_DELIMITED);
const RESOURCE = tag(1, LENGTH_DELIMITED);
const RESOURCE_ATTRIBUTE = tag(1, LENGTH_DELIMITED);
const SCOPE_SPANS = tag(2, LENGTH_DELIMITED);
const SCOPE = tag(1, LENGTH_DELIMITED);
const SCOPE_NAME = tag(1, LENGTH_DELIMITED);
const SCOPE_VERSION = tag(2, LENGTH_DELIMITED);
const SPAN = tag(2, LENGTH_DELIMITED);
const SCHEMA_URL = tag(3, LENGTH_DELIMITED);
const TRACE_ID = tag(1, LENGTH_DELIMITED);
const SPAN_ID = tag(2, LENGTH_DELIMITED);
const TRACE_STATE = tag(3, LENGTH_DELIMITED);
const PARENT_SPAN_ID = tag(4, LENGTH_DELIMITED);
const NAME = tag(5, LENGTH_DELIMITED);
const KIND = tag(6, VARINT);
const KINDS = { internal: 1, server: 2 } as const;
const START_TIME = tag(7, FIXED64);
const END_TIME = tag(8, FIXED64);
const ATTRIBUTE = tag(9, LENGTH_DELIMITED);
const STATUS = tag(15, LENGTH_DELIMITED);
const STATUS_CODE = tag(3, VARINT);
const ERROR = 2;
const FLAGS = tag(16, FIXED32);
const SAMPLED = 0x01;
const KNOWS_REMOTE = 0x100;
const IS_REMOTE = 0x200;
const KEY = tag(1, LENGTH_DELIMITED);
const VALUE = tag(2, LENGTH_DELIMITED);
const STRING_VALUE = tag(1, LENGTH_DELIMITED);
const BOOL_VALUE = tag(2, VARINT);
const INT_VALUE = tag(3, VARINT);
const DOUBLE_VALUE = tag(4, FIXED64);
const ARRAY_VALUE = tag(5, LENGTH_DELIMITED);
const ARRAY_ITEM = tag(1, LENGTH_DELIMITED);
const PARTIAL_SUCCESS = tag(1, LENGTH_DELIMITED);
const REJECTED = tag(1, VARINT);
const WORDS = tag(2, LENGTH_DELIMITED);
