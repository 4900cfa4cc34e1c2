/** The suite's contract, from an image that the test builds of the suite's own protos, and the shapes of its messages. */

import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  type Message,
} from "@bufbuild/protobuf";
import { type Any, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const PACKAGE = "connectrpc.conformance.v1";

/** Name and values, as `Header` of the contract has them. */
export interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

export interface ServerCompatRequest extends Message {
  readonly messageReceiveLimit: number;
}

export interface WireFailure {
  readonly code: number;
  readonly message?: string;
  readonly details: readonly Any[];
}

export interface UnaryDefinition {
  readonly responseHeaders: readonly Header[];
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: WireFailure }
    | { readonly case: undefined; readonly value?: undefined };
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
}

export interface StreamDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseData: readonly Uint8Array[];
  readonly responseDelayMs: number;
  readonly error?: WireFailure;
  readonly responseTrailers: readonly Header[];
}

export interface UnaryRequest extends Message {
  readonly responseDefinition?: UnaryDefinition;
}

export interface StreamRequest extends Message {
  readonly responseDefinition?: StreamDefinition;
  readonly fullDuplex?: boolean;
}

export interface Contract {
  readonly registry: FileRegistry;
  readonly service: DescService;
  message(name: string): DescMessage;
  make(name: string, init: Readonly<Record<string, unknown>>): Message;
}

export function readContract(image: string): Contract {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));
  const found = <D>(desc: D | undefined, name: string): D => {
    if (desc === undefined) throw new Error(`${image} has no ${PACKAGE}.${name}`);
    return desc;
  };
  const message = (name: string) => found(registry.getMessage(`${PACKAGE}.${name}`), name);
  return {
    registry,
    service: found(registry.getService(`${PACKAGE}.ConformanceService`), "ConformanceService"),
    message,
    make: (name, init) => create(message(name), init),
  };
}
