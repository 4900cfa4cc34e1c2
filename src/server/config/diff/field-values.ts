/** The fields of a message as people write them in the file, for comparing two of them. */

import { type DescField, type DescMessage, type JsonObject, type MessageShape, toJson } from "@bufbuild/protobuf";
import { durationText } from "../../wire/duration-text.ts";
import type { Changed } from "./difference.ts";

export type FieldValues = ReadonlyMap<string, string | undefined>;

/** By name; `without`: fields to leave out. Undefined: not set. */
export function fieldValues<S extends DescMessage>(
  schema: S,
  message: MessageShape<S>,
  without: ReadonlySet<DescField>,
): FieldValues {
  const json = toJson(schema, message, { alwaysEmitImplicit: true, useProtoFieldName: true }) as JsonObject;
  const fields = schema.fields.filter((field) => !without.has(field));
  return new Map(fields.map((field) => [field.name, textOf(field, json[field.name])]));
}

/** Those that differ, in the order of `file`. */
export function changedFields(file: FieldValues, running: FieldValues, prefix = ""): Changed[] {
  return [...file].flatMap(([field, value]) => {
    const now = running.get(field);
    return value === now ? [] : [{ field: `${prefix}${field}`, file: value, running: now }];
  });
}

function textOf(field: DescField, json: unknown): string | undefined {
  if (json === undefined) return undefined;
  if (field.fieldKind === "list") return JSON.stringify(json);
  if (field.message?.typeName === "google.protobuf.Duration") return durationText(String(json));
  if (field.enum !== undefined) {
    const value = field.enum.values.find(({ name }) => name === json);
    // Unspecified is what is left to its default.
    return value === undefined || value.number === 0 ? undefined : value.localName.toLowerCase();
  }
  if (field.fieldKind === "message") return JSON.stringify(json);
  // Of a field without presence an empty text is none.
  return json === "" ? undefined : String(json);
}
