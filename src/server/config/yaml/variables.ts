/** Values of the file whose variables have been replaced. */

import type { DescField } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { isScalar, type Node, Scalar } from "yaml";
import { isPlaceholder } from "../../access/pattern.ts";
import { AccessEntrySchema } from "../../gen/ggen/backpressure/config/v1/config_pb.ts";
import { interpolate, type Variables } from "./interpolate.ts";

/** A value in which variables stood. */
export class ReplacedScalar extends Scalar {
  /** As it stands in the file. */
  readonly written: string;

  constructor(value: unknown, source: string, written: string) {
    super(value);
    this.source = source;
    this.written = written;
  }
}

export type Replacement =
  | { readonly kind: "node"; readonly node: Node | undefined }
  | { readonly kind: "fault"; readonly message: string };

/** YAML's core schema: what a plain scalar is that is no text. */
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const INTEGER_OF_OTHER_BASE = /^0(?:x[0-9a-f]+|o[0-7]+)$/i;
const TRUE = /^(?:true|True|TRUE)$/;
const FALSE = /^(?:false|False|FALSE)$/;

/**
 * Replaces the variables of a value, if there are any. A field that is no text has what the result is in YAML, quoted or
 * not: `"${PERMITS}"` is a number.
 */
export function replaceVariables(field: DescField, node: Node | undefined, variables: Variables): Replacement {
  if (!isScalar(node) || typeof node.value !== "string" || !node.value.includes("$")) return { kind: "node", node };
  const written = node.value;
  const reading = interpolate(written, variables, ofCallers(field));
  if (reading.kind === "fault") return reading;
  const { text } = reading;
  const value = field.scalar === ScalarType.STRING || field.enum !== undefined ? text : typed(text);
  return { kind: "node", node: new ReplacedScalar(value, text, written) };
}

/** In the access list some names stand for what is known of a caller, and not for variables of the environment. */
function ofCallers({ parent }: DescField): ((inside: string) => boolean) | undefined {
  return parent.typeName === AccessEntrySchema.typeName ? isPlaceholder : undefined;
}

function typed(text: string): string | number | boolean {
  if (NUMBER.test(text) || INTEGER_OF_OTHER_BASE.test(text)) return Number(text);
  if (TRUE.test(text)) return true;
  return FALSE.test(text) ? false : text;
}
