/** What of a message's fields the generated code has to know. */

import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence, isWrapperDesc } from "@bufbuild/protobuf/wkt";

/** The method of `Reader` and of `Writer` for one kind of number or text. */
const SCALARS: Partial<Record<ScalarType, { readonly method: string; readonly zero: string }>> = {
  [ScalarType.STRING]: { method: "string", zero: '""' },
  [ScalarType.BYTES]: { method: "bytes", zero: "new Uint8Array(0)" },
  [ScalarType.BOOL]: { method: "bool", zero: "false" },
  [ScalarType.INT32]: { method: "int32", zero: "0" },
  [ScalarType.UINT32]: { method: "uint32", zero: "0" },
  [ScalarType.INT64]: { method: "int64", zero: "0n" },
  [ScalarType.UINT64]: { method: "uint64", zero: "0n" },
};

/** Texts that most requests repeat: names, of which a process knows few. */
const NAMES: ReadonlySet<string> = new Set(["limiter", "key", "holder", "board"]);

/** The method of `Reader` that reads a field's value. */
export function readerOf(field: DescField): string | undefined {
  return field.fieldKind === "scalar" && field.scalar === ScalarType.STRING && NAMES.has(field.name)
    ? "name"
    : scalarOf(field)?.method;
}

/** The messages that are compiled among these and all that they contain. The others are left to `@bufbuild/protobuf`. */
export function compiledWithin(roots: readonly DescMessage[]): readonly DescMessage[] {
  const found = new Set<DescMessage>();
  const visit = (desc: DescMessage) => {
    if (found.has(desc) || !isCompiled(desc)) return;
    found.add(desc);
    for (const { message } of desc.fields) if (message !== undefined) visit(message);
  };
  for (const root of roots) visit(root);
  return [...found];
}

/** Whether all fields of a message itself are of the kinds that the hot messages have. */
export function isCompiled(desc: DescMessage): boolean {
  return desc.fields.every(isCompiledField);
}

function isCompiledField(field: DescField): boolean {
  switch (field.fieldKind) {
    case "scalar":
      return scalarOf(field) !== undefined && !("longAsString" in field && field.longAsString);
    case "enum":
      return field.enum.open;
    case "message":
      return !field.delimitedEncoding && !isWrapperDesc(field.message) && !isStruct(field.message);
    case "list":
      if (field.listKind === "message") return !field.delimitedEncoding && !isStruct(field.message);
      return field.listKind === "scalar" && [ScalarType.STRING, ScalarType.UINT32].includes(field.scalar);
    case "map":
      return false;
  }
}

export function scalarOf(field: DescField): { readonly method: string; readonly zero: string } | undefined {
  if (field.fieldKind === "enum") return SCALARS[ScalarType.INT32];
  return field.scalar === undefined ? undefined : SCALARS[field.scalar];
}

/** Whether a field without a value is one that has never been set, and not its zero. */
export function isExplicit(field: DescField): boolean {
  return field.presence !== FeatureSet_FieldPresence.IMPLICIT;
}

/** TypeScript that is true of `m` while the field is not set. */
export function unsetOf(field: DescField): string {
  return compare(field, "===", "!==");
}

/** TypeScript that is true of `m` while the field is set. */
export function setOf(field: DescField): string {
  return compare(field, "!==", "===");
}

function compare(field: DescField, is: string, isNot: string): string {
  const value = `m.${field.localName}`;
  if (field.oneof !== undefined) return `m.${field.oneof.localName}.case ${isNot} "${field.localName}"`;
  if (field.fieldKind === "list") return `${value}.length ${is} 0`;
  if (isExplicit(field)) return `${value} ${is} undefined`;
  if (field.scalar === ScalarType.BYTES) return `${value}.byteLength ${is} 0`;
  return `${value} ${is} ${scalarOf(field)?.zero}`;
}

/** TypeScript for the value of a field of `m` that is set. */
export function valueIn({ localName, oneof }: DescField): string {
  return oneof === undefined ? `m.${localName}` : `m.${oneof.localName}.value`;
}

function isStruct({ typeName }: DescMessage): boolean {
  return typeName === "google.protobuf.Struct";
}
