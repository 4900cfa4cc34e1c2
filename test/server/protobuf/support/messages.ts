/** Random messages of any type: texts, numbers, lists and spans of time at the bounds of the contract's rules, and beyond. */

import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";

/** Lengths at which a rule begins or ends to hold, of texts and of how they are written. */
const LENGTHS = [0, 1, 2, 15, 16, 17, 42, 43, 63, 64, 65, 85, 86, 127, 128, 129, 255, 256, 257, 300];
const UNITS = ["a", "~", " ", "é", "€", "\ufffd", "\ufeff", "😀", "\ud800"];
const NUMBERS = [0, 1, 3, 4, 127, 128, 1_000_000, 1_000_001, 1_000_000_000, 1_000_000_001, 2 ** 31 - 1];

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc
    .record({ length: fc.constantFrom(...LENGTHS), unit: fc.constantFrom(...UNITS) })
    .map(({ length, unit }) => unit.repeat(length).slice(0, length)),
  fc.string({ unit: fc.constantFrom(...UNITS), maxLength: 70 }),
);
const uint32 = fc.oneof(fc.constantFrom(...NUMBERS, 2 ** 32 - 1), fc.nat());
const int32 = fc.oneof(fc.constantFrom(...NUMBERS, -1, -(2 ** 31)), fc.integer());
const uint64 = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 28n, 2n ** 49n, 2n ** 53n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const int64 = fc.oneof(
  fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

const SCALARS: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: fc.uint8Array({ maxLength: 200 }),
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.INT64]: int64,
  [ScalarType.UINT64]: uint64,
};

/** Spans of time as they should be written. */
const span = fc.record({
  seconds: fc.constantFrom(0n, 0n, 1n, 30n, 86_399n, 86_400n, 86_401n, 10n ** 9n),
  nanos: fc.constantFrom(0, 0, 1, 99_999_999, 100_000_000, 999_999_999),
});

/** `spans`: "any" has those, too, that no clock would write. */
export function messageOf(desc: DescMessage, spans: "normal" | "any" = "any"): fc.Arbitrary<Message> {
  if (desc.typeName === "google.protobuf.Duration" && spans === "normal")
    return span.map((init) => create(desc, init as never));
  const members = desc.members.map((member) => {
    if (member.kind === "oneof") {
      const cases = member.fields.map((field) =>
        valueFor(field, spans).map((value) => ({ case: field.localName, value })),
      );
      return [member.localName, fc.option(fc.oneof(...cases), { nil: undefined, freq: 8 })] as const;
    }
    return [member.localName, fc.option(fieldOf(member, spans), { nil: undefined, freq: 3 })] as const;
  });
  return fc.record(Object.fromEntries(members)).map((init) => create(desc, init as never));
}

function fieldOf(field: DescField, spans: "normal" | "any"): fc.Arbitrary<unknown> {
  if (field.fieldKind !== "list") return valueFor(field, spans);
  return fc.oneof(
    { weight: 5, arbitrary: fc.array(valueFor(field, spans), { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.array(valueFor(field, spans), { minLength: 8, maxLength: 9 }) },
  );
}

function valueFor(field: DescField, spans: "normal" | "any"): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return messageOf(field.message, spans);
  if (field.enum !== undefined)
    return fc.oneof(fc.constantFrom(...field.enum.values.map(({ number }) => number)), int32);
  const scalar = field.scalar === undefined ? undefined : SCALARS[field.scalar];
  if (scalar === undefined) throw new Error(`${field} is of a kind that has no arbitrary here`);
  return scalar;
}
