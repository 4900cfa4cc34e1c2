/** Prints what makes an empty message, and what reads one. */

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import { isCompiled, isExplicit, readerOf, scalarOf } from "./fields.ts";

export function printReader(f: GeneratedFile, desc: DescMessage): void {
  const { name } = desc;
  const shape = f.importShape(desc);
  f.print("");
  f.print("function new", name, "(): ", shape, " {");
  f.print("  return { ", [`$typeName: "${desc.typeName}"`, ...emptyMembers(desc)].join(", "), " };");
  f.print("}");
  f.print("");
  f.print("function read", name, "(m: ", shape, ", end: number): ", shape, " {");
  f.print("  while (r.pos < end) {");
  f.print("    const tag = r.tag();");
  f.print("    switch (tag >>> 3) {");
  for (const field of desc.fields) {
    f.print("      case ", field.number, field.oneof === undefined ? ":" : ": {");
    printField(f, field);
    f.print("        break;");
    if (field.oneof !== undefined) f.print("      }");
  }
  f.print("      default:");
  f.print("        r.skip(tag);");
  f.print("    }");
  f.print("  }");
  f.print("  r.depth -= 1;");
  f.print("  return m;");
  f.print("}");
}

function emptyMembers(desc: DescMessage): string[] {
  return desc.members.flatMap((member) => {
    if (member.kind === "oneof") return [`${member.localName}: { case: undefined }`];
    if (member.fieldKind === "list") return [`${member.localName}: []`];
    return isExplicit(member) ? [] : [`${member.localName}: ${scalarOf(member)?.zero}`];
  });
}

function printField(f: GeneratedFile, field: DescField): void {
  const indent = "        ";
  const { localName, oneof } = field;
  if (field.fieldKind === "list") {
    printListField(f, field, indent);
    return;
  }
  if (field.fieldKind !== "message") {
    const value: Printable[] = [`r.${readerOf(field)}()`];
    if (field.enum !== undefined) value.push(" as ", f.importShape(field.enum));
    if (oneof === undefined) f.print(indent, "m.", localName, " = ", value, ";");
    else f.print(indent, "m.", oneof.localName, ` = { case: "${localName}", value: `, value, " };");
    return;
  }
  if (oneof === undefined) {
    f.print(indent, "m.", localName, " = ", readOf(field.message, `m.${localName}`), ";");
    return;
  }
  // One that comes twice is merged, and one that comes after another case takes its place.
  const before = `m.${oneof.localName}.case === "${localName}" ? m.${oneof.localName}.value : undefined`;
  f.print(indent, "const value = ", readOf(field.message, `(${before})`), ";");
  f.print(indent, "m.", oneof.localName, ` = { case: "${localName}", value };`);
}

function printListField(f: GeneratedFile, field: DescField & { fieldKind: "list" }, indent: string): void {
  const items = `m.${field.localName}`;
  if (field.listKind === "message") {
    f.print(indent, items, ` = r.added(${items}, `, readOf(field.message, undefined), ");");
  } else if (scalarOf(field)?.method === "uint32") {
    f.print(indent, "r.uint32s(tag, ", items, ");");
  } else {
    f.print(indent, items, ".push(r.", scalarOf(field)?.method ?? "", "());");
  }
}

/** Reads a message inside another into `before`, or into a new one where that is undefined. */
function readOf(desc: DescMessage, before: string | undefined): string {
  if (!isCompiled(desc)) throw new Error(`${desc} has fields of a kind that tools/codec does not read yet`);
  return `read${desc.name}(${before === undefined ? "" : `${before} ?? `}new${desc.name}(), r.enter())`;
}
