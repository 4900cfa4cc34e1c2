/** UpdateLimiter: what becomes of a limiter's configuration when some fields of it are changed. */

import { create, type DescField } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { type Limiter, LimiterSchema } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import type { LimiterConfig } from "../machine/limiter.ts";
import type { FieldViolation } from "./error-wire.ts";
import { type LimiterReading, limiterConfig, saidFields } from "./limiter-wire.ts";
import { violationsIn, violationsOf } from "./validate.ts";

/** Fields that say how a limiter stands; nobody sets them. */
export const OUTPUT_FIELDS: ReadonlySet<DescField> = new Set([
  LimiterSchema.field.etag,
  LimiterSchema.field.declared,
  LimiterSchema.field.state,
  LimiterSchema.field.createTime,
  LimiterSchema.field.updateTime,
  LimiterSchema.field.status,
]);

/** Fields that are set once and for all; an update may say what stands. */
const FIXED_FIELDS: ReadonlySet<DescField> = new Set([LimiterSchema.field.name, LimiterSchema.field.keyed]);

/**
 * The configuration after the fields that `paths` names (as the proto does, in snake_case) have been taken from the
 * message; one that is unset there goes back to its default. No paths: those fields that are set. The contract's rules
 * are held against the whole result; violations name fields of UpdateLimiterRequest.
 *
 * Defaults that follow other fields keep following them: after `max_rps` alone was changed, a burst that was what 10 ms
 * brought is what 10 ms bring now. Whether the burst had been left out or written as just that value makes no
 * difference; the same holds for `ttl` and `max_ttl`.
 */
export function applyUpdate(current: LimiterConfig, message: Limiter, paths: readonly string[]): LimiterReading {
  const selection = paths.length === 0 ? fieldsSet(message) : fieldsNamed(paths);
  if (selection.kind === "invalid") return selection;
  const changes = reflect(LimiterSchema, message);
  const next = reflect(LimiterSchema, create(LimiterSchema, saidFields(current)));
  const violations: FieldViolation[] = [];
  for (const field of selection.fields) {
    if (FIXED_FIELDS.has(field) && changes.get(field) !== next.get(field)) {
      violations.push({
        field: `limiter.${field.name}`,
        description: `cannot be changed: it is ${JSON.stringify(next.get(field))} for ever`,
        reason: "update_limiter.fixed",
      });
    } else if (changes.isSet(field)) {
      next.set(field, changes.get(field));
    } else {
      next.clear(field);
    }
  }
  if (violations.length > 0) return { kind: "invalid", violations };
  return readWhole(next.message as Limiter);
}

type Selection =
  | { readonly kind: "fields"; readonly fields: readonly DescField[] }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

/** Those for output may be among them: who reads a limiter and sends it back sends them too. They mean nothing. */
function fieldsSet(message: Limiter): Selection {
  const reflected = reflect(LimiterSchema, message);
  return { kind: "fields", fields: LimiterSchema.fields.filter((field) => reflected.isSet(field)) };
}

function fieldsNamed(paths: readonly string[]): Selection {
  const fields: DescField[] = [];
  const violations: FieldViolation[] = [];
  for (const [index, path] of paths.entries()) {
    const field = LimiterSchema.fields.find(({ name }) => name === path);
    if (field !== undefined && !OUTPUT_FIELDS.has(field)) {
      fields.push(field);
      continue;
    }
    violations.push({
      field: `update_mask.paths[${index}]`,
      description:
        field === undefined
          ? `${JSON.stringify(path)} is no field of a limiter; those that can be changed are ${CHANGEABLE}`
          : `${path} is for output and cannot be changed`,
      reason: "update_limiter.mask",
    });
  }
  return violations.length > 0 ? { kind: "invalid", violations } : { kind: "fields", fields };
}

const CHANGEABLE = LimiterSchema.fields
  .filter((field) => !OUTPUT_FIELDS.has(field) && !FIXED_FIELDS.has(field))
  .map((field) => field.name)
  .join(", ");

function readWhole(message: Limiter): LimiterReading {
  const violations = violationsOf(LimiterSchema, message);
  if (violations.length === 0) return limiterConfig(message);
  return { kind: "invalid", violations: violationsIn("limiter", violations) };
}
