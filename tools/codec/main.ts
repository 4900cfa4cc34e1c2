/**
 * A plugin of `buf generate` that writes `src/server/gen/codec.ts`: readers, writers and checks of the messages that the server
 * handles by the hundred thousand a second. `@bufbuild/protobuf` and `@bufbuild/protovalidate` walk descriptors for each.
 */

import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { createEcmaScriptPlugin, type Printable, runNodeJs, type Schema } from "@bufbuild/protoplugin";
import { compiledWithin } from "./fields.ts";
import { printReader } from "./print-reader.ts";
import { hasRules, printRules } from "./print-rules.ts";
import { printWriter } from "./print-writer.ts";

/** The services whose requests are read and checked, and whose responses are written, by what is generated. */
const HOT_SERVICES = ["ggen.backpressure.v1.AdmissionService", "ggen.backpressure.v1.SessionService"];

runNodeJs(createEcmaScriptPlugin({ name: "codec", version: "v1", generateTs }));

function generateTs(schema: Schema): void {
  const services = schema.files.flatMap((file) => file.services).filter((one) => HOT_SERVICES.includes(one.typeName));
  const [first] = services;
  if (first === undefined) throw new Error(`there is none of ${HOT_SERVICES.join(" and ")}`);
  const methods: DescMethod[] = services.flatMap((service) => service.methods);
  const read = compiledWithin(methods.map((method) => method.input));
  const written = compiledWithin(methods.map((method) => method.output));
  checkNames(new Set([...read, ...written]));

  const f = schema.generateFile("codec.ts");
  f.preamble(first.file);
  const runtime = (name: string, file: string, typeOnly = false) =>
    f.import(name, `./../protobuf/${file}.js`, typeOnly);
  f.print("const r = new ", runtime("Reader", "reader"), "();");
  f.print("const w = new ", runtime("Writer", "writer"), "();");
  for (const desc of read) printReader(f, desc);
  for (const desc of written) printWriter(f, desc);
  for (const desc of read) if (hasRules(desc)) printRules(f, desc, (name) => runtime(name, "rules"));

  const descMessage = f.import("DescMessage", "@bufbuild/protobuf", true);
  const message = f.import("Message", "@bufbuild/protobuf", true);
  const [Read, Write, Check] = ["Read", "Write", "Check"].map((name) => runtime(name, "codec", true)) as [
    Printable,
    Printable,
    Printable,
  ];
  const table = (
    name: string,
    type: Printable,
    descs: readonly DescMessage[],
    codeFor: (desc: DescMessage) => string,
  ) => {
    f.print("");
    f.print(
      f.export("const", name),
      ": ReadonlyMap<",
      descMessage,
      ", ",
      type,
      "> = new Map<",
      descMessage,
      ", ",
      type,
      ">([",
    );
    for (const desc of descs) f.print("  [", f.importSchema(desc), ", ", codeFor(desc), "],");
    f.print("]);");
  };
  table("READERS", Read, read, ({ name }) => `(bytes) => read${name}(new${name}(), r.begin(bytes))`);
  table("WRITERS", Write, written, ({ name }) => `writing(write${name})`);
  table("CHECKS", Check, read, (desc) => (hasRules(desc) ? `checking(isValid${desc.name})` : "() => true"));
  f.print("");
  f.print("function writing<M extends ", message, ">(write: (m: M) => void): ", Write, " {");
  f.print("  return (m) => {");
  f.print("    w.begin();");
  f.print("    write(m as M);");
  f.print("    return w.finish();");
  f.print("  };");
  f.print("}");
  f.print("");
  f.print("function checking<M extends ", message, ">(isValid: (m: M) => boolean): ", Check, " {");
  f.print("  return (m) => isValid(m as M);");
  f.print("}");
}

/** Functions are named after messages without their packages. */
function checkNames(descs: ReadonlySet<DescMessage>): void {
  const byName = new Map<string, DescMessage>();
  for (const desc of descs) {
    const other = byName.get(desc.name);
    if (other !== undefined) throw new Error(`${desc} and ${other} would have functions of the same names`);
    byName.set(desc.name, desc);
  }
}
