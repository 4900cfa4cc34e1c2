/** The descriptors of some services, of all that they use and of some files beside, found by what reflection asks for. */

import { type DescExtension, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

export interface DescriptorIndex {
  /** Full names of the services, sorted. */
  readonly services: readonly string[];
  fileByName(name: string): DescFile | undefined;
  /** The file that declares a service, method, message, field, oneof, enum, enum value or extension. */
  fileOfSymbol(name: string): DescFile | undefined;
  fileOfExtension(typeName: string, number: number): DescFile | undefined;
  /** Sorted; undefined if there is no such message. */
  extensionNumbers(typeName: string): readonly number[] | undefined;
  /** A `FileDescriptorProto`. */
  bytesOf(file: DescFile): Uint8Array;
}

export function indexDescriptors(services: readonly DescService[], others: readonly DescFile[]): DescriptorIndex {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, DescExtension[]>();
  const bytes = new Map<DescFile, Uint8Array>();

  const extensionsOf = (typeName: string): DescExtension[] => {
    const known = extensions.get(typeName) ?? [];
    extensions.set(typeName, known);
    return known;
  };
  const addFile = (file: DescFile) => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    for (const dependency of file.dependencies) addFile(dependency);
    for (const symbol of symbolsOf(file)) symbols.set(symbol, file);
    for (const type of nestedTypes(file)) {
      if (type.kind === "message") extensionsOf(type.typeName);
      if (type.kind === "extension") extensionsOf(type.extendee.typeName).push(type);
    }
  };
  for (const file of [...services.map((service) => service.file), ...others]) addFile(file);

  return {
    services: services.map(({ typeName }) => typeName).sort(),
    fileByName: (name) => files.get(name),
    fileOfSymbol: (name) => symbols.get(name),
    fileOfExtension: (typeName, number) => extensions.get(typeName)?.find((each) => each.number === number)?.file,
    extensionNumbers: (typeName) =>
      extensions
        .get(typeName)
        ?.map((each) => each.number)
        .sort((a, b) => a - b),
    bytesOf(file) {
      const known = bytes.get(file) ?? toBinary(FileDescriptorProtoSchema, file.proto);
      bytes.set(file, known);
      return known;
    },
  };
}

function* symbolsOf(file: DescFile): Iterable<string> {
  for (const type of nestedTypes(file)) {
    yield type.typeName;
    switch (type.kind) {
      case "message":
        for (const { name } of [...type.fields, ...type.oneofs]) yield `${type.typeName}.${name}`;
        break;
      case "service":
        for (const { name } of type.methods) yield `${type.typeName}.${name}`;
        break;
      case "enum": {
        // A value is a sibling of its enum.
        const scope = type.typeName.slice(0, -type.name.length);
        for (const { name } of type.values) yield `${scope}${name}`;
        break;
      }
      case "extension":
        break;
    }
  }
}
