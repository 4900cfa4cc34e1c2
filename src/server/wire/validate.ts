/** The contract's own rules, as they stand in the proto files, held against a message. */

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { CHECKS } from "../gen/codec.ts";
import type { FieldViolation } from "./error-wire.ts";

const validator = createValidator();

/**
 * Where a message breaks the rules of its contract; empty: nowhere. The first message of a type may take tens of ms.
 * Throws where the rules themselves are broken, which is a bug.
 */
export function violationsOf<D extends DescMessage>(schema: D, message: MessageShape<D>): readonly FieldViolation[] {
  if (CHECKS.get(schema)?.(message)) return NONE;
  return violationsByRules(schema, message);
}

/** The same by protovalidate alone: what a check may know to be empty, and what it never words. */
export function violationsByRules<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
): readonly FieldViolation[] {
  const result = validator.validate(schema, message);
  switch (result.kind) {
    case "valid":
      return NONE;
    case "invalid":
      return result.violations.map((violation) => ({
        field: pathToString(violation.field),
        description: violation.message,
        reason: violation.ruleId,
      }));
    case "error":
      throw result.error;
  }
}

/** The same violations as seen from a message that has the offender in its `field`. */
export function violationsIn(field: string, violations: readonly FieldViolation[]): readonly FieldViolation[] {
  return violations.map((violation) => ({
    ...violation,
    field: violation.field === "" ? field : `${field}.${violation.field}`,
  }));
}

const NONE: readonly never[] = [];
