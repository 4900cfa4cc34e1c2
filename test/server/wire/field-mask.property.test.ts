/** Field masks: what is named is changed, all of it and nothing else. */

import { clone, create, equals } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Limiter, LimiterSchema } from "../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { applyMask, type Updatable } from "../../../src/server/wire/field-mask.ts";
import { OUTPUT_FIELDS } from "../../../src/server/wire/limiter-update.ts";
import { validLimiter } from "./limiter-arbitrary.ts";

const UPDATABLE: Updatable<typeof LimiterSchema> = {
  schema: LimiterSchema,
  noun: "limiter",
  output: OUTPUT_FIELDS,
  fixed: new Set([LimiterSchema.field.name, LimiterSchema.field.keyed]),
};
const CHANGEABLE = LimiterSchema.fields.filter((field) => !UPDATABLE.output.has(field) && !UPDATABLE.fixed.has(field));
const NAMES = CHANGEABLE.map(({ name }) => name);

const mask = fc.subarray(NAMES, { minLength: 1 });

function updated(current: Limiter, changes: Limiter, paths: readonly string[]): Limiter {
  const update = applyMask(UPDATABLE, clone(LimiterSchema, current), { changes, paths });
  if (update.kind === "invalid") throw new Error(JSON.stringify(update.violations));
  return update.message;
}

/** By its JSON name alone, whether it is set, and to what. */
function said(message: Limiter, name: string): unknown {
  const field = LimiterSchema.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`no field ${name}`);
  const reflected = reflect(LimiterSchema, message);
  return reflected.isSet(field) ? JSON.stringify(message[field.localName as keyof Limiter], bigints) : undefined;
}

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

describe("an update by mask", () => {
  it("takes the fields that are named, unset ones too, and leaves all others", () => {
    fc.assert(
      fc.property(validLimiter, validLimiter, mask, (current, changes, paths) => {
        Object.assign(changes, { name: current.name, keyed: current.keyed });
        const after = updated(current, changes, paths);
        for (const name of LimiterSchema.fields.map((field) => field.name)) {
          expect(said(after, name), name).toBe(said(paths.includes(name) ? changes : current, name));
        }
      }),
    );
  });

  it("that names every field which is set is an update without one", () => {
    fc.assert(
      fc.property(validLimiter, validLimiter, (current, changes) => {
        Object.assign(changes, { name: current.name, keyed: current.keyed });
        const set = NAMES.filter((name) => said(changes, name) !== undefined);
        fc.pre(set.length > 0);
        expect(equals(LimiterSchema, updated(current, changes, set), updated(current, changes, []))).toBe(true);
      }),
    );
  });

  it("done twice is done once, in whatever order the fields are named", () => {
    fc.assert(
      fc.property(validLimiter, validLimiter, mask, (current, changes, paths) => {
        const once = updated(current, changes, paths);
        expect(equals(LimiterSchema, updated(once, changes, paths), once)).toBe(true);
        expect(equals(LimiterSchema, updated(current, changes, [...paths, ...paths].reverse()), once)).toBe(true);
      }),
    );
  });

  it("that names anything else is refused, each by its place in the mask, and changes nothing", () => {
    const wrong = fc.oneof(
      fc.string(),
      fc.constantFrom("maxRps", "etag", "status", "status.leases", "create_time", "*", "limiter.ttl", "constructor"),
    );
    const paths = fc.array(fc.oneof(fc.constantFrom(...NAMES), wrong), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(paths, (named) => {
        const fixed = ["name", "keyed"];
        const expected = named.flatMap((path, index) =>
          NAMES.includes(path) || fixed.includes(path) ? [] : [`update_mask.paths[${index}]`],
        );
        fc.pre(expected.length > 0);
        const current = create(LimiterSchema, { name: "db", maxConcurrent: 1 });
        const update = applyMask(UPDATABLE, current, { changes: create(LimiterSchema), paths: named });
        if (update.kind !== "invalid") throw new Error("it was not refused");
        expect(update.violations.map(({ field }) => field)).toEqual(expected);
        expect(current).toEqual(create(LimiterSchema, { name: "db", maxConcurrent: 1 }));
      }),
    );
  });
});
