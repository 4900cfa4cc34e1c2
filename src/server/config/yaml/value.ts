/** Reads single values of the file as their fields want them: as protobuf's JSON, or what was expected instead. */

import { type DescEnum, type DescField, getOption, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { isMap, isScalar, isSeq, type Node } from "yaml";
import { durationAdvice } from "../../../client/api/duration.ts";
import { durationJson } from "../../wire/duration-text.ts";
import { ReplacedScalar } from "./variables.ts";

export type ValueReading =
  | { readonly kind: "read"; readonly json: JsonValue }
  /** `expected` completes "must be". */
  | { readonly kind: "refused"; readonly expected: string };

/** The longest text that is repeated in a message. */
const MAX_SHOWN = 60;
const MAX_UINT32 = 2 ** 32 - 1;

/** Reads a value of a field, or of an item of a list, that is a scalar, an enum or a duration. */
export function readValue(field: DescField, node: Node | undefined): ValueReading {
  const value = isScalar(node) ? node.value : undefined;
  if (field.message?.typeName === TimestampSchema.typeName) return readTimestamp(value);
  if (field.message !== undefined) return readDuration(value);
  if (field.enum !== undefined) return readEnum(field.enum, value);
  switch (field.scalar) {
    case ScalarType.STRING:
      return readText(value);
    case ScalarType.BOOL:
      return typeof value === "boolean" ? read(value) : refused("true or false");
    case ScalarType.UINT32:
      return readWholeNumber(field, value);
    case ScalarType.DOUBLE:
      return typeof value === "number" && Number.isFinite(value) ? read(value) : refused("a number");
    default:
      throw new Error(`${field.parent.typeName}.${field.name} is of a type that no configuration has`);
  }
}

/** Reads the name of an enum's value: `info`, `INFO` or `LOG_LEVEL_INFO`. */
export function readEnum(type: DescEnum, value: unknown): ValueReading {
  const choices = type.values.filter(({ number }) => number !== 0);
  const chosen = choices.find(
    ({ name, localName }) => value === name || value === localName || value === localName.toLowerCase(),
  );
  if (chosen !== undefined) return read(chosen.name);
  return refused(`one of ${choices.map(({ localName }) => localName.toLowerCase()).join(", ")}`);
}

/** Whether there is more at a node than a value. */
export function isCollection(node: Node | undefined): boolean {
  return isMap(node) || isSeq(node);
}

/** What stands at a node, for a message. */
export function describeFound(node: Node | undefined): string {
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  if (!isScalar(node) || node.value === null) return "nothing";
  const found = typeof node.value === "string" ? quote(node.value) : quote(String(node.source)).slice(1, -1);
  return node instanceof ReplacedScalar ? `${found}, which is ${quote(node.written)}` : found;
}

/** Returns text in quotes, cut to a readable length, without characters that would confuse a terminal. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}

function readText(value: unknown): ValueReading {
  if (typeof value === "number") return refused("text: put it in quotes");
  if (typeof value !== "string") return refused("text");
  // An escape can name half a character, which UTF-8 cannot say.
  return value.isWellFormed() ? read(value) : refused("text of whole characters");
}

function readDuration(value: unknown): ValueReading {
  const text = typeof value === "number" || typeof value === "string" ? String(value).trim() : undefined;
  // Zero is the same in every unit.
  const json = text === "0" ? "0s" : text === undefined || typeof value === "number" ? undefined : durationJson(text);
  if (json !== undefined) return read(json);
  const unit = typeof value === "number" ? " with its unit" : "";
  const advice = text === undefined ? undefined : durationAdvice(text);
  return refused(`a duration${unit} such as 10s, 250ms or 1m30s${advice === undefined ? "" : ` (${advice})`}`);
}

/** RFC 3339, or a day, which begins at midnight in UTC. */
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/i;

function readTimestamp(value: unknown): ValueReading {
  const text = typeof value === "string" ? value.trim() : "";
  const ms = TIMESTAMP.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? refused("a time such as 2027-06-30T00:00:00Z") : read(new Date(ms).toISOString());
}

function readWholeNumber(field: DescField, value: unknown): ValueReading {
  const [least, most] = bounds(field);
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return read(value as number);
  return refused(`a whole number from ${grouped(least)} to ${grouped(most)}`);
}

/** What the contract's rules leave of a uint32. */
function bounds(field: DescField): readonly [least: number, most: number] {
  const { type } = getOption(field, fieldRules);
  if (type.case !== "uint32") return [0, MAX_UINT32];
  const { greaterThan, lessThan } = type.value;
  return [greaterThan.case === "gte" ? greaterThan.value : 0, lessThan.case === "lte" ? lessThan.value : MAX_UINT32];
}

/** How many items the contract's rules leave to a list. */
export function maxItems(field: DescField): number {
  const { type } = getOption(field, fieldRules);
  return type.case === "repeated" && type.value.maxItems > 0n ? Number(type.value.maxItems) : Number.POSITIVE_INFINITY;
}

export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function read(json: JsonValue): ValueReading {
  return { kind: "read", json };
}

function refused(expected: string): ValueReading {
  return { kind: "refused", expected };
}
