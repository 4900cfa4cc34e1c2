/**
 * A YAML file as a message: each field read as its descriptor says, all that is wrong reported at once and by its place.
 *
 * The walk is the descriptor's, never the file's, so its depth and length are bounded by the contract.
 */

import { type DescField, type DescMessage, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import { parseRate } from "../../../client/api/rate.ts";
import { RateSchema } from "../../gen/ggen/backpressure/v1/limiter_pb.ts";
import { nearestName } from "../../wire/nearest-name.ts";
import { microsToDuration } from "../../wire/time-wire.ts";
import { type Budget, fieldsOf, givenTwice, MAX_FIELDS, offsetOf, WRONG_FIELD } from "./fields.ts";
import type { Variables } from "./interpolate.ts";
import type { Finding, YamlSource } from "./source.ts";
import { describeFound, grouped, maxItems, quote, readValue } from "./value.ts";
import { replaceVariables } from "./variables.ts";

/** Where a field stands: its name, or the item if it is one of a list. */
export interface FieldPlace {
  readonly offset: number;
  readonly node: Node | undefined;
}

export interface YamlMessage {
  /** Protobuf's JSON of all that could be read. Fields that could not are left out, items of lists left empty. */
  readonly json: JsonObject;
  readonly findings: readonly Finding[];
  /** By the field's path; the empty one is the whole. */
  readonly places: ReadonlyMap<string, FieldPlace>;
}

export interface ReadOptions {
  /** Fields that are known and refused. */
  readonly outputFields: ReadonlySet<DescField>;
  /** What may stand in values as `${NAME}`. */
  readonly variables: Variables;
}

interface Walk extends ReadOptions {
  readonly source: YamlSource;
  readonly places: Map<string, FieldPlace>;
  readonly findings: Finding[];
  readonly budget: Budget;
}

/** Reads a file as one message. */
export function readMessage(source: YamlSource, desc: DescMessage, options: ReadOptions): YamlMessage {
  const walk: Walk = {
    ...options,
    source,
    places: new Map(),
    findings: [],
    budget: { left: MAX_FIELDS, reported: false },
  };
  walk.places.set("", { offset: 0, node: source.root });
  const node = source.resolve(source.root);
  let json: JsonObject = {};
  if (isMap(node)) json = readFields(walk, { desc, map: node, path: "" });
  else if (!isNothing(node)) refuse(walk, { node, offset: offsetOf(source.root), path: "" }, "a mapping of fields");
  return { json, findings: walk.findings, places: walk.places };
}

interface Fields {
  readonly desc: DescMessage;
  readonly map: YAMLMap;
  readonly path: string;
}

function readFields(walk: Walk, { desc, map, path }: Fields): JsonObject {
  const json: JsonObject = {};
  const given = new Set<DescField>();
  for (const { name, offset, value, merged } of fieldsOf(map, walk.source, walk.budget, walk.findings)) {
    const field = desc.fields.find((candidate) => candidate.name === name || candidate.jsonName === name);
    if (field === undefined || walk.outputFields.has(field)) {
      walk.budget.left -= WRONG_FIELD;
      walk.findings.push({ offset, field: join(path, name), message: whyNot(walk, desc, field, name) });
      continue;
    }
    if (merged && given.has(field)) continue;
    const fieldPath = join(path, field.name);
    if (given.has(field)) {
      const first = walk.places.get(fieldPath)?.offset ?? 0;
      walk.findings.push({ offset, field: fieldPath, message: givenTwice("", first, walk.source) });
      continue;
    }
    given.add(field);
    const read = readField(walk, field, place(walk, field, { value, offset, path: fieldPath }));
    if (read !== undefined) json[field.name] = read;
  }
  return json;
}

/** Notes where a value stands, and replaces its variables; undefined: they cannot be, and that is reported. */
function place(
  walk: Walk,
  field: DescField,
  { value, offset, path }: { readonly value: unknown; readonly offset: number; readonly path: string },
): Value | undefined {
  const replaced = replaceVariables(field, walk.source.resolve(value), walk.variables);
  if (replaced.kind === "fault") {
    walk.places.set(path, { offset, node: undefined });
    walk.findings.push({ offset, field: path, message: replaced.message });
    return undefined;
  }
  walk.places.set(path, { offset, node: replaced.node });
  return { node: replaced.node, offset, path };
}

interface Value {
  readonly node: Node | undefined;
  /** Where a problem points to. */
  readonly offset: number;
  readonly path: string;
}

function readField(walk: Walk, field: DescField, value: Value | undefined): JsonValue | undefined {
  if (value === undefined) return undefined;
  const { node, path } = value;
  const isList = field.fieldKind === "list";
  // A section or a list of which every line is commented out says nothing.
  if ((isList || (isSection(field) && !isRate(field))) && isNothing(node)) return undefined;
  if (!isList) return readSingle(walk, field, value);
  const items: JsonValue[] = [];
  if (!isSeq(node)) {
    refuse(walk, value, "a list");
    return items;
  }
  const most = maxItems(field);
  if (node.items.length > most) {
    const message = `must be a list of at most ${grouped(most)}, found ${grouped(node.items.length)}`;
    walk.findings.push({ offset: value.offset, field: path, message });
    // Its items are not read: a list without end would take as long.
    return items;
  }
  for (const item of node.items) items.push(readItem(walk, field, item, `${path}[${items.length}]`));
  return items;
}

function readItem(walk: Walk, field: DescField, item: unknown, path: string): JsonValue {
  const value = place(walk, field, { value: item, offset: offsetOf(item), path });
  return (value && readSingle(walk, field, value)) ?? emptyItem(field);
}

/** What stands for an item that could not be read. */
function emptyItem(field: DescField): JsonValue {
  if (isSection(field)) return {};
  return field.enum?.values[0]?.name ?? "";
}

function readSingle(walk: Walk, field: DescField, value: Value): JsonValue | undefined {
  if (field.message !== undefined && isSection(field)) {
    if (isMap(value.node)) {
      return readFields(walk, { desc: field.message, map: value.node, path: value.path });
    }
    if (isRate(field) && isScalar(value.node) && value.node.value !== null) return readRateText(walk, value);
    refuse(
      walk,
      value,
      isRate(field) ? "an amount per period, such as 10/m, 50/d or {tokens: 10, per: 60s}" : "a mapping of fields",
    );
    return undefined;
  }
  const reading = readValue(field, value.node);
  if (reading.kind === "read") return reading.json;
  refuse(walk, value, reading.expected);
  return undefined;
}

function isRate(field: DescField): boolean {
  return field.message?.typeName === RateSchema.typeName;
}

/** `10/m`; a number is shown as it was written. */
function readRateText(walk: Walk, { node, offset, path }: Value): JsonValue | undefined {
  try {
    const { tokens, perMicros } = parseRate(isScalar(node) ? String(node.value) : "");
    return { tokens, per: toJson(DurationSchema, microsToDuration(perMicros)) };
  } catch (error) {
    walk.findings.push({ offset, field: path, message: `${(error as Error).message}, found ${describeFound(node)}` });
    return undefined;
  }
}

/** Messages that the file has as one value. */
const VALUES: ReadonlySet<string> = new Set([DurationSchema.typeName, TimestampSchema.typeName]);

/** Whether a field, or each item of its list, has fields of its own. */
function isSection(field: DescField): boolean {
  return field.message !== undefined && !VALUES.has(field.message.typeName);
}

function refuse(walk: Walk, { node, offset, path }: Value, expected: string): void {
  walk.findings.push({ offset, field: path, message: `must be ${expected}, found ${describeFound(node)}` });
}

function whyNot(walk: Walk, desc: DescMessage, field: DescField | undefined, name: string): string {
  if (field !== undefined) return "says how a limiter stands, and cannot be declared";
  const names = desc.fields.filter((candidate) => !walk.outputFields.has(candidate)).map((candidate) => candidate.name);
  const nearest = nearestName(name, names);
  return nearest === undefined
    ? `no such field; there are ${names.join(", ")}`
    : `no such field; did you mean ${nearest}?`;
}

function isNothing(node: Node | undefined): boolean {
  return node === undefined || (isScalar(node) && node.value === null);
}

/** The path of a field in a message; a name that is none of ours is shown in quotes where it could be misread. */
function join(path: string, name: string): string {
  const shown = /^[A-Za-z_]\w{0,63}$/.test(name) ? name : quote(name);
  return path === "" ? shown : `${path}.${shown}`;
}
