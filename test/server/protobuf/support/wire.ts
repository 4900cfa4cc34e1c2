/** Random bytes that are nearly messages: fields in any order, twice, of wrong wire types, unknown, nested, cut off, changed. */

import { type DescField, type DescMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { messageOf } from "./messages.ts";

/** Writes a part of a message. */
type Part = (writer: BinaryWriter) => void;

/** How deep messages are made of parts; below that they are whole. */
const DEPTH = 4;

export function wireOf(desc: DescMessage): fc.Arbitrary<Uint8Array> {
  const bytes = partsOf(desc, DEPTH).map(written);
  return fc.oneof({ weight: 2, arbitrary: bytes }, { weight: 1, arbitrary: fc.tuple(bytes, changes).map(changed) });
}

function written(parts: readonly Part[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const part of parts) part(writer);
  return writer.finish();
}

function partsOf(desc: DescMessage, depth: number): fc.Arbitrary<readonly Part[]> {
  const fields = desc.fields.map((field) => partOf(field, depth));
  const whole = messageOf(desc).map(
    (message): Part =>
      (writer) =>
        void writer.raw(toBinary(desc, message)),
  );
  return fc.array(
    fc.oneof({ weight: 2, arbitrary: whole }, ...fields.map((arbitrary) => ({ weight: 3, arbitrary })), {
      weight: 1,
      arbitrary: stranger(fc.constantFrom(...desc.fields.map(({ number }) => number), 15, 16, 1_000, 2 ** 29 - 1)),
    }),
    { maxLength: 6 },
  );
}

/** A field as it should be written, or in another way that is allowed. */
function partOf(field: DescField, depth: number): fc.Arbitrary<Part> {
  const { number } = field;
  if (field.message !== undefined) {
    const { message } = field;
    const inner =
      depth === 0 ? messageOf(message).map((one) => toBinary(message, one)) : partsOf(message, depth - 1).map(written);
    return inner.map((bytes) => (writer) => void writer.tag(number, WireType.LengthDelimited).bytes(bytes));
  }
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) {
    const bytes = fc.oneof(
      { weight: 4, arbitrary: fc.string({ maxLength: 150 }).map((text) => new TextEncoder().encode(text)) },
      {
        weight: 1,
        arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    );
    return bytes.map((one) => (writer) => void writer.tag(number, WireType.LengthDelimited).bytes(one));
  }
  if (field.fieldKind === "list") {
    const packed = fc.array(varint, { maxLength: 5 }).map((some) => Buffer.concat(some));
    const together = packed.map(
      (bytes): Part =>
        (writer) =>
          void writer.tag(number, WireType.LengthDelimited).bytes(bytes),
    );
    return fc.oneof(together, varintPart(number));
  }
  return varintPart(number);
}

function varintPart(number: number): fc.Arbitrary<Part> {
  return varint.map((bytes) => (writer) => void writer.tag(number, WireType.Varint).raw(bytes));
}

/** Up to eleven bytes, of which one too many. */
const varint = fc
  .tuple(fc.array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 10 }), fc.integer({ min: 0, max: 0x7f }))
  .map(([more, last]) => Buffer.from([...more, last]));

/** A field of any wire type, under a number that is known or not. */
function stranger(numbers: fc.Arbitrary<number>): fc.Arbitrary<Part> {
  const { part } = fc.letrec<{ part: Part }>((tie) => ({
    part: fc.oneof(
      { depthSize: "small" },
      numbers.chain(varintPart),
      fc.tuple(numbers, fc.uint8Array({ minLength: 8, maxLength: 8 })).map(([no, bytes]) => (writer: BinaryWriter) => {
        writer.tag(no, WireType.Bit64).raw(bytes);
      }),
      fc.tuple(numbers, fc.uint8Array({ minLength: 4, maxLength: 4 })).map(([no, bytes]) => (writer: BinaryWriter) => {
        writer.tag(no, WireType.Bit32).raw(bytes);
      }),
      fc.tuple(numbers, fc.uint8Array({ maxLength: 10 })).map(([no, bytes]) => (writer: BinaryWriter) => {
        writer.tag(no, WireType.LengthDelimited).bytes(bytes);
      }),
      fc
        .tuple(numbers, numbers, fc.boolean(), tie("part"))
        .map(([no, other, isRight, inner]) => (writer: BinaryWriter) => {
          writer.tag(no, WireType.StartGroup);
          inner(writer);
          writer.tag(isRight ? no : other, WireType.EndGroup);
        }),
    ),
  }));
  return part;
}

interface Change {
  readonly kind: "cut" | "flip" | "insert" | "drop";
  readonly at: number;
  readonly byte: number;
}

const changes = fc.array(
  fc.record({
    kind: fc.constantFrom("cut", "flip", "insert", "drop"),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
  }),
  { minLength: 1, maxLength: 3 },
) as fc.Arbitrary<Change[]>;

function changed([bytes, all]: readonly [Uint8Array, readonly Change[]]): Uint8Array {
  let made = bytes;
  for (const { kind, at, byte } of all) {
    const index = Math.floor(at * made.byteLength);
    const [before, after] = [made.subarray(0, index), made.subarray(index)];
    if (kind === "cut") made = before;
    if (kind === "flip") made = Buffer.concat([before, Buffer.from([byte]), after.subarray(1)]);
    if (kind === "insert") made = Buffer.concat([before, Buffer.from([byte]), after]);
    if (kind === "drop") made = Buffer.concat([before, after.subarray(1)]);
  }
  return made;
}
