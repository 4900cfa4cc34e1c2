/**
 * A YAML file as a message: each field read as its descriptor says, all that is wrong told at once and by its place.
 *
 * The walk is the descriptor's, never the file's, so its depth and length are bounded by the contract.
 */

import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import { nearestName } from "./nearest-name.ts";
import type { Finding, YamlSource } from "./yaml-source.ts";
import { describeFound, grouped, maxItems, quote, readValue } from "./yaml-value.ts";

/** Where a field stands: its name, or of an item of a list the item. */
export interface FieldPlace {
  readonly offset: number;
  readonly node: Node | undefined;
}

export interface YamlMessage {
  /** Protobuf's JSON of all that could be read. What could not is left out, an item of a list left empty. */
  readonly json: JsonObject;
  readonly findings: readonly Finding[];
  /** By the field's path; the empty one is the whole. */
  readonly places: ReadonlyMap<string, FieldPlace>;
}

interface Walk {
  readonly source: YamlSource;
  readonly outputFields: ReadonlySet<DescField>;
  readonly places: Map<string, FieldPlace>;
  readonly findings: Finding[];
}

/**
 * Reads all documents of a file as one message: their lists are joined, any other field stands in one of them.
 * `outputFields` are known, and refused.
 */
export function readMessage(source: YamlSource, desc: DescMessage, outputFields: ReadonlySet<DescField>): YamlMessage {
  const walk: Walk = { source, outputFields, places: new Map(), findings: [] };
  walk.places.set("", { offset: 0, node: source.roots[0] });
  const json: JsonObject = {};
  for (const root of source.roots) {
    const node = source.resolve(root);
    if (isMap(node)) readFields(walk, { desc, map: node, path: "", into: json });
    else if (!isNothing(node)) refuse(walk, { node, offset: offsetOf(root), path: "" }, "a mapping of fields");
  }
  return { json, findings: walk.findings, places: walk.places };
}

interface Fields {
  readonly desc: DescMessage;
  readonly map: YAMLMap;
  readonly path: string;
  /** What documents before this one have said. */
  readonly into: JsonObject;
}

function readFields(walk: Walk, { desc, map, path, into }: Fields): JsonObject {
  const given = new Set<DescField>();
  for (const { key, value } of map.items) {
    const name = fieldName(walk.source.resolve(key));
    const offset = offsetOf(key);
    const field = desc.fields.find((candidate) => candidate.name === name || candidate.jsonName === name);
    if (field === undefined || walk.outputFields.has(field)) {
      walk.findings.push({ offset, field: join(path, name), message: whyNot(walk, desc, field, name) });
      continue;
    }
    const fieldPath = join(path, field.name);
    const before = walk.places.get(fieldPath);
    if (before !== undefined && (given.has(field) || field.fieldKind !== "list")) {
      const { line } = walk.source.positionAt(before.offset);
      walk.findings.push({ offset, field: fieldPath, message: `is given twice, first on line ${line}` });
      continue;
    }
    given.add(field);
    const node = walk.source.resolve(value);
    if (before === undefined) walk.places.set(fieldPath, { offset, node });
    const json = readField(walk, field, { node, offset, path: fieldPath, before: into[field.name] });
    if (json !== undefined) into[field.name] = json;
  }
  return into;
}

interface Value {
  readonly node: Node | undefined;
  /** Where to point if it is wrong. */
  readonly offset: number;
  readonly path: string;
}

function readField(
  walk: Walk,
  field: DescField,
  value: Value & { readonly before: JsonValue | undefined },
): JsonValue | undefined {
  const { node, path } = value;
  const isList = field.fieldKind === "list";
  // A section or a list of which every line is commented out says nothing.
  if ((isList || isSection(field)) && isNothing(node)) return value.before;
  if (!isList) return readSingle(walk, field, value);
  const items = Array.isArray(value.before) ? value.before : [];
  if (!isSeq(node)) {
    refuse(walk, value, "a list");
    return items;
  }
  const room = maxItems(field) - items.length;
  if (node.items.length > room) {
    const message = `must be a list of at most ${grouped(maxItems(field))}, found ${grouped(items.length + node.items.length)}`;
    walk.findings.push({ offset: value.offset, field: path, message });
  }
  for (const item of node.items.slice(0, room)) items.push(readItem(walk, field, item, `${path}[${items.length}]`));
  return items;
}

function readItem(walk: Walk, field: DescField, item: unknown, path: string): JsonValue {
  const node = walk.source.resolve(item);
  const offset = offsetOf(item);
  walk.places.set(path, { offset, node });
  return readSingle(walk, field, { node, offset, path }) ?? (isSection(field) ? {} : "");
}

function readSingle(walk: Walk, field: DescField, value: Value): JsonValue | undefined {
  if (field.message !== undefined && isSection(field)) {
    if (isMap(value.node)) {
      return readFields(walk, { desc: field.message, map: value.node, path: value.path, into: {} });
    }
    refuse(walk, value, "a mapping of fields");
    return undefined;
  }
  const reading = readValue(field, value.node);
  if (reading.kind === "read") return reading.json;
  refuse(walk, value, reading.expected);
  return undefined;
}

/** Whether a field, or each item of its list, has fields of its own. */
function isSection(field: DescField): boolean {
  return field.message !== undefined && field.message.typeName !== DurationSchema.typeName;
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

function fieldName(key: Node | undefined): string {
  return isScalar(key) ? String(key.value) : describeFound(key);
}

/** The path of a field in a message; a name that is none of ours is shown so that it confuses nobody. */
function join(path: string, name: string): string {
  const shown = /^[A-Za-z_]\w{0,63}$/.test(name) ? name : quote(name);
  return path === "" ? shown : `${path}.${shown}`;
}

function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}
