/** Updates by field mask: what becomes of a resource when some of its fields are changed. */

import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { FieldViolation } from "./error-wire.ts";

/** How the fields of a resource may be changed. */
export interface Updatable<D extends DescMessage> {
  readonly schema: D;
  /** The resource's name in a sentence and in paths: "limiter". */
  readonly noun: string;
  /** Output fields of the resource: they cannot be set. */
  readonly output: ReadonlySet<DescField>;
  /** Fields that are set once and for all; an update may say what stands. */
  readonly fixed: ReadonlySet<DescField>;
}

export type Update<D extends DescMessage> =
  | { readonly kind: "updated"; readonly message: MessageShape<D> }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

/**
 * Takes the fields that `paths` names (as the proto does, in snake_case) from `changes` into `current`, which it changes;
 * one that is unset there goes back to its default. No paths: those fields that are set. Violations name fields of the
 * update's request.
 */
export function applyMask<D extends DescMessage>(
  updatable: Updatable<D>,
  current: MessageShape<D>,
  { changes, paths }: { readonly changes: MessageShape<D>; readonly paths: readonly string[] },
): Update<D> {
  const { schema, noun, fixed } = updatable;
  const selection = paths.length === 0 ? fieldsSet(updatable, changes) : fieldsNamed(updatable, paths);
  if (selection.kind === "invalid") return selection;
  const from = reflect(schema, changes);
  const to = reflect(schema, current);
  const violations: FieldViolation[] = [];
  for (const field of selection.fields) {
    if (fixed.has(field) && from.get(field) !== to.get(field)) {
      violations.push({
        field: `${noun}.${field.name}`,
        description: `cannot be changed: it is ${JSON.stringify(to.get(field))} for ever`,
        reason: `update_${noun}.fixed`,
      });
    } else if (from.isSet(field)) {
      to.set(field, from.get(field));
    } else {
      to.clear(field);
    }
  }
  return violations.length > 0 ? { kind: "invalid", violations } : { kind: "updated", message: current };
}

type Selection =
  | { readonly kind: "fields"; readonly fields: readonly DescField[] }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

/** Output fields may be among what is sent: a client that reads a resource and sends it back sends them, too. They mean nothing. */
function fieldsSet<D extends DescMessage>({ schema, output }: Updatable<D>, message: MessageShape<D>): Selection {
  const reflected = reflect(schema, message);
  return { kind: "fields", fields: schema.fields.filter((field) => !output.has(field) && reflected.isSet(field)) };
}

function fieldsNamed<D extends DescMessage>(updatable: Updatable<D>, paths: readonly string[]): Selection {
  const { schema, noun, output, fixed } = updatable;
  const fields: DescField[] = [];
  const violations: FieldViolation[] = [];
  for (const [index, path] of paths.entries()) {
    const field = schema.fields.find(({ name }) => name === path);
    if (field !== undefined && !output.has(field)) {
      fields.push(field);
      continue;
    }
    const changeable = schema.fields.filter((each) => !output.has(each) && !fixed.has(each)).map(({ name }) => name);
    violations.push({
      field: `update_mask.paths[${index}]`,
      description:
        field === undefined
          ? `${JSON.stringify(path)} is no field of a ${noun}; those that can be changed are ${changeable.join(", ")}`
          : `${path} is for output and cannot be changed`,
      reason: `update_${noun}.mask`,
    });
  }
  return violations.length > 0 ? { kind: "invalid", violations } : { kind: "fields", fields };
}
