/** Requests in JSON, which people write by hand: what protobuf's JSON would pass over or refuse without saying why. */

import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { durationJson } from "./duration-text.ts";
import type { FieldViolation } from "./error-wire.ts";
import { nearestName } from "./nearest-name.ts";

/** As many as an error tells. */
const MAX_VIOLATIONS = 8;
const MAX_SHOWN = 60;
const SECONDS = /^-?\d+(?:\.\d{1,9})?s$/;

/**
 * Returns the fields of a message in protobuf's JSON that the contract does not know, or knows under another name, those
 * that are given twice, and durations and enums that are written otherwise; the first few of them.
 */
export function jsonViolations(desc: DescMessage, json: unknown): readonly FieldViolation[] {
  const violations: FieldViolation[] = [];
  look(desc, json, "", violations);
  return violations.slice(0, MAX_VIOLATIONS);
}

function look(desc: DescMessage, json: unknown, path: string, violations: FieldViolation[]): void {
  if (desc.typeName === DurationSchema.typeName) {
    lookAtDuration(json, path, violations);
    return;
  }
  // Those that are well known have a JSON of their own.
  if (desc.typeName.startsWith("google.protobuf.")) return;
  if (!isObject(json)) {
    // The whole request, and what is null, are protobuf's to judge.
    if (path === "" || json === null) return;
    const fields = desc.fields.map(({ jsonName }) => jsonName).join(", ");
    const description = `must be an object with ${fields}, found ${shorten(JSON.stringify(json))}`;
    violations.push({ field: path, reason: "json.object", description });
    return;
  }
  const given = new Set<DescField>();
  for (const [name, value] of Object.entries(json)) {
    if (violations.length >= MAX_VIOLATIONS) return;
    const field = desc.fields.find((each) => each.jsonName === name || each.name === name);
    if (field === undefined) {
      violations.push({
        field: join(path, shorten(name)),
        reason: "json.unknown",
        description: noSuchField(desc, name),
      });
      continue;
    }
    if (given.has(field)) {
      const description = `is given twice, as ${field.jsonName} and as ${field.name}`;
      violations.push({ field: join(path, field.name), reason: "json.twice", description });
    }
    given.add(field);
    lookAtField(field, value, join(path, field.name), violations);
  }
}

function lookAtField(field: DescField, value: unknown, path: string, violations: FieldViolation[]): void {
  if (field.fieldKind === "map") return;
  const items = field.fieldKind === "list" && Array.isArray(value) ? value : undefined;
  if (field.fieldKind === "list" && items === undefined) return;
  for (const [index, item] of (items ?? [value]).entries()) {
    if (violations.length >= MAX_VIOLATIONS) return;
    const itemPath = items === undefined ? path : `${path}[${index}]`;
    if (field.message !== undefined) look(field.message, item, itemPath, violations);
    else if (field.enum !== undefined) lookAtEnum(field.enum, item, itemPath, violations);
  }
}

function lookAtDuration(json: unknown, field: string, violations: FieldViolation[]): void {
  if (json === null || (typeof json === "string" && SECONDS.test(json))) return;
  const meant = typeof json === "string" ? durationJson(/^\d+(?:\.\d+)?$/.test(json) ? `${json}s` : json) : undefined;
  const example = meant ?? (typeof json === "number" && json >= 0 ? `${json}s` : "60s");
  const description = `must be seconds as text, such as ${JSON.stringify(example)}, found ${shorten(JSON.stringify(json))}`;
  violations.push({ field, reason: "json.duration", description });
}

function lookAtEnum(desc: DescEnum, json: unknown, field: string, violations: FieldViolation[]): void {
  if (typeof json !== "string" || desc.values.some(({ name }) => name === json)) return;
  const names = desc.values.map(({ name }) => name);
  // `QUEUE` for STAGE_KIND_QUEUE is what most mean.
  const nearest = names.find((name) => name.endsWith(`_${json.toUpperCase()}`)) ?? nearestName(json, names);
  const advice = nearest === undefined ? `there are ${names.join(", ")}` : `did you mean ${nearest}?`;
  violations.push({
    field,
    reason: "json.enum",
    description: `has no value ${shorten(JSON.stringify(json))}; ${advice}`,
  });
}

function noSuchField(desc: DescMessage, name: string): string {
  const names = desc.fields.map(({ jsonName }) => jsonName);
  const nearest = nearestName(name, names);
  if (nearest !== undefined) return `no such field; did you mean ${nearest}?`;
  return names.length === 0 ? "no such field; there are none" : `no such field; there are ${names.join(", ")}`;
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function shorten(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN).toWellFormed()}…`;
}
