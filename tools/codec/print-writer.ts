/** Prints what writes a message. */

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile } from "@bufbuild/protoplugin";
import { isCompiled, scalarOf, setOf, valueIn } from "./fields.ts";

const VARINT = 0;
const LENGTH_DELIMITED = 2;

export function printWriter(f: GeneratedFile, desc: DescMessage): void {
  f.print("");
  f.print("function write", desc.name, "(m: ", f.importShape(desc), "): void {");
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) printField(f, field);
  f.print("  w.unknown(m);");
  f.print("}");
}

function printField(f: GeneratedFile, field: DescField): void {
  if (field.fieldKind === "list") {
    printListField(f, field);
    return;
  }
  f.print("  if (", setOf(field), ") {");
  printValue(f, field, valueIn(field), "    ");
  f.print("  }");
}

function printListField(f: GeneratedFile, field: DescField & { fieldKind: "list" }): void {
  const items = valueIn(field);
  const scalar = scalarOf(field);
  if (scalar?.method === "uint32") {
    f.print("  w.uint32s(", tagOf(field, LENGTH_DELIMITED), ", ", items, ");");
    return;
  }
  f.print("  for (const item of ", items, ") {");
  printValue(f, field, "item", "    ");
  f.print("  }");
}

function printValue(f: GeneratedFile, field: DescField, value: string, indent: string): void {
  const scalar = scalarOf(field);
  if (scalar !== undefined) {
    const wireType = scalar.method === "string" || scalar.method === "bytes" ? LENGTH_DELIMITED : VARINT;
    f.print(indent, "w.", scalar.method, "(", tagOf(field, wireType), ", ", value, ");");
    return;
  }
  const { message } = field;
  if (message === undefined) throw new Error(`${field} has no message`);
  const tag = tagOf(field, LENGTH_DELIMITED);
  if (!isCompiled(message)) throw new Error(`${message} has fields of a kind that tools/codec does not write yet`);
  f.print(indent, "const start = w.fork(", tag, ");");
  f.print(indent, "write", message.name, "(", value, ");");
  f.print(indent, "w.join(start);");
}

function tagOf({ number }: DescField, wireType: number): string {
  return `${number * 8 + wireType}`;
}
