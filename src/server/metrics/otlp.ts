/**
 * Writes families as OTLP has them, in protobuf, a bounded number of points at a time. Each piece is a whole `ResourceMetrics`, so
 * that pieces joined together are an `ExportMetricsServiceRequest`.
 *
 * By hand, since what a library writes it writes in one turn of the event loop (`docs/decisions.md`).
 */

import type { HistogramCounts } from "../machine/structures/histogram.ts";
import { Writer } from "../protobuf/writer.ts";
import type { Family } from "./families.ts";
import type { Labels } from "./labels.ts";
import { type FamilySamples, seconds } from "./samples.ts";

/** Points that are written in one turn at most. */
export const POINTS_AT_ONCE = 1_000;

export interface OtlpOptions {
  /** What the server is, by OpenTelemetry's names. */
  readonly resource: Readonly<Record<string, string | number>>;
  readonly version: string;
  /** ms since 1970: from when on counters count, and when they were read. */
  readonly since: number;
  readonly now: number;
}

export function* writeOtlp(families: Iterable<FamilySamples>, options: OtlpOptions): Generator<Buffer, void, void> {
  const writer = new Writer();
  const times = timesOf(options);
  let points = 0;
  let open: readonly number[] = [];

  /** Begins with a message that holds points of the family. */
  function begin(family: Family): void {
    if (open.length === 0) {
      writer.begin();
      const resourceMetrics = writer.fork(RESOURCE_METRICS);
      writeResource(writer, options.resource);
      const scopeMetrics = writer.fork(SCOPE_METRICS);
      writeScope(writer, options.version);
      open = [scopeMetrics, resourceMetrics];
    }
    const metric = writer.fork(METRIC);
    writer.string(NAME, nameOf(family));
    writer.string(DESCRIPTION, family.help);
    if (family.unit !== undefined) writer.string(UNIT, UNITS[family.unit]);
    open = [writer.fork(DATA[family.type]), metric, ...open];
  }

  function endFamily(family: Family): void {
    if (family.type !== "gauge") writer.uint32(TEMPORALITY, CUMULATIVE);
    if (family.type === "counter") writer.bool(IS_MONOTONIC, true);
    const [data = 0, metric = 0, ...rest] = open;
    writer.join(data);
    writer.join(metric);
    open = rest;
  }

  function end(): Buffer {
    for (const start of open) writer.join(start);
    open = [];
    points = 0;
    return writer.finish();
  }

  for (const { family, samples } of families) {
    let isOpen = false;
    for (const { labels, value } of samples) {
      if (!isOpen) begin(family);
      isOpen = true;
      if (typeof value === "number") writeNumber(writer, labels, value, times);
      else writeHistogram(writer, labels, value, times);
      points += 1;
      if (points < POINTS_AT_ONCE) continue;
      endFamily(family);
      isOpen = false;
      yield end();
    }
    if (isOpen) endFamily(family);
  }
  if (points > 0) yield end();
}

/** A collector that hands metrics on to Prometheus makes the name of it that a scrape has. */
function nameOf({ name, unit, convention }: Family): string {
  if (convention !== undefined) return convention;
  const counted = name.replace(/_total$/, "");
  const bare = unit === undefined ? counted : counted.slice(0, -(unit.length + 1));
  return bare.replace("_", ".");
}

/** Of the labels of a convention the dots were written as underscores. */
function attributeOf(label: string): string {
  return label.startsWith("rpc_") ? (CONVENTIONAL[label] ?? label) : label;
}

const CONVENTIONAL: Readonly<Record<string, string>> = {
  rpc_system_name: "rpc.system.name",
  rpc_method: "rpc.method",
  rpc_response_status_code: "rpc.response.status_code",
};

function writeResource(writer: Writer, attributes: Readonly<Record<string, string | number>>): void {
  const start = writer.fork(RESOURCE);
  for (const [key, value] of Object.entries(attributes)) writeAttribute(writer, RESOURCE_ATTRIBUTE, key, value);
  writer.join(start);
}

function writeScope(writer: Writer, version: string): void {
  const start = writer.fork(SCOPE);
  writer.string(SCOPE_NAME, "ggen-backpressure");
  writer.string(SCOPE_VERSION, version);
  writer.join(start);
}

function writeNumber(writer: Writer, labels: Labels, value: number, times: Uint8Array): void {
  const start = writer.fork(POINT);
  writer.raw(times);
  writer.double(AS_DOUBLE, value);
  writeAttributes(writer, NUMBER_ATTRIBUTE, labels);
  writer.join(start);
}

function writeHistogram(
  writer: Writer,
  labels: Labels,
  { bounds, counts, sum }: HistogramCounts,
  times: Uint8Array,
): void {
  const start = writer.fork(POINT);
  writer.raw(times);
  writer.fixed64(
    COUNT,
    counts.reduce((a, b) => a + b, 0),
  );
  writer.double(SUM, seconds(sum));
  writer.fixed64s(BUCKET_COUNTS, counts);
  writer.doubles(EXPLICIT_BOUNDS, bounds.map(seconds));
  writeAttributes(writer, HISTOGRAM_ATTRIBUTE, labels);
  writer.join(start);
}

function writeAttributes(writer: Writer, tag: number, { names, values }: Labels): void {
  for (let index = 0; index < names.length; index++) {
    writeAttribute(writer, tag, attributeOf(names[index] as string), values[index] as string);
  }
}

function writeAttribute(writer: Writer, tag: number, key: string, value: string | number): void {
  const start = writer.fork(tag);
  writer.string(KEY, key);
  const any = writer.fork(VALUE);
  if (typeof value === "string") writer.string(STRING_VALUE, value);
  else writer.int64(INT_VALUE, BigInt(value));
  writer.join(any);
  writer.join(start);
}

/** The two instants of a point, which are the same for all of one export. */
function timesOf({ since, now }: OtlpOptions): Buffer {
  const bytes = Buffer.alloc(18);
  bytes[0] = START_TIME;
  bytes.writeBigUInt64LE(nanos(since), 1);
  bytes[9] = TIME;
  bytes.writeBigUInt64LE(nanos(now), 10);
  return bytes;
}

function nanos(millis: number): bigint {
  return BigInt(Math.round(millis * 1_000)) * 1_000n;
}

const UNITS = { seconds: "s", bytes: "By" } as const;

/** Tags: the number of a field, and how its value is written. */
const LENGTH_DELIMITED = 2;
const FIXED64 = 1;
const VARINT = 0;
const tag = (field: number, type: number) => (field << 3) | type;

const RESOURCE_METRICS = tag(1, LENGTH_DELIMITED);
const RESOURCE = tag(1, LENGTH_DELIMITED);
const RESOURCE_ATTRIBUTE = tag(1, LENGTH_DELIMITED);
const SCOPE_METRICS = tag(2, LENGTH_DELIMITED);
const SCOPE = tag(1, LENGTH_DELIMITED);
const SCOPE_NAME = tag(1, LENGTH_DELIMITED);
const SCOPE_VERSION = tag(2, LENGTH_DELIMITED);
const METRIC = tag(2, LENGTH_DELIMITED);
const NAME = tag(1, LENGTH_DELIMITED);
const DESCRIPTION = tag(2, LENGTH_DELIMITED);
const UNIT = tag(3, LENGTH_DELIMITED);
const DATA = {
  gauge: tag(5, LENGTH_DELIMITED),
  counter: tag(7, LENGTH_DELIMITED),
  histogram: tag(9, LENGTH_DELIMITED),
} as const;
const TEMPORALITY = tag(2, VARINT);
const CUMULATIVE = 2;
const IS_MONOTONIC = tag(3, VARINT);
const POINT = tag(1, LENGTH_DELIMITED);
const START_TIME = tag(2, FIXED64);
const TIME = tag(3, FIXED64);
const AS_DOUBLE = tag(4, FIXED64);
const NUMBER_ATTRIBUTE = tag(7, LENGTH_DELIMITED);
const COUNT = tag(4, FIXED64);
const SUM = tag(5, FIXED64);
const BUCKET_COUNTS = tag(6, LENGTH_DELIMITED);
const EXPLICIT_BOUNDS = tag(7, LENGTH_DELIMITED);
const HISTOGRAM_ATTRIBUTE = tag(9, LENGTH_DELIMITED);
const KEY = tag(1, LENGTH_DELIMITED);
const VALUE = tag(2, LENGTH_DELIMITED);
const STRING_VALUE = tag(1, LENGTH_DELIMITED);
const INT_VALUE = tag(3, VARINT);
