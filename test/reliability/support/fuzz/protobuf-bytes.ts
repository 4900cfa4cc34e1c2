/** Protobuf that went wrong on its way. */

import type { Dice } from "../../../server/machine/dice.ts";

type Mutation = (bytes: Buffer, dice: Dice) => Buffer;

const ENDLESS_VARINT = Buffer.alloc(11, 0xff);
/** Fields of one's own number in one another, so many deep. */
const DEEPEST = 2_000;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  (bytes, dice) => bytes.subarray(0, dice.roll(bytes.length + 1)),
  (bytes, dice) => insert(bytes, dice.roll(bytes.length + 1), randomBytes(dice, 1 + dice.roll(20))),
  (bytes, dice) => insert(bytes, dice.roll(bytes.length + 1), ENDLESS_VARINT),
  (bytes, dice) => insert(bytes, dice.roll(bytes.length + 1), bytes),
  // Groups, open and never closed, or closed and never opened.
  (bytes, dice) => Buffer.concat([bytes, Buffer.alloc(1 + dice.roll(DEEPEST), dice.pick([0x0b, 0x0c, 0x13, 0x7b]))]),
  // A string in field 2 that is no UTF-8.
  (bytes) => Buffer.concat([bytes, Buffer.from([0x12, 0x04, 0xc3, 0x28, 0xff, 0xfe])]),
  // A length beyond the end, beyond 31 bits, beyond 64.
  (bytes, dice) => Buffer.concat([bytes, Buffer.from([0x0a, ...dice.pick([[0x7f], [0xff, 0xff, 0xff, 0xff, 0x0f]])])]),
  (bytes) => Buffer.concat([bytes, Buffer.from([0x0a]), ENDLESS_VARINT.subarray(0, 9), Buffer.from([1])]),
  // Field 0, and the wire types that there are not.
  (bytes, dice) => Buffer.concat([bytes, Buffer.from([dice.pick([0x00, 0x06, 0x07, 0x0e, 0x0f])])]),
  nest,
  (_, dice) => randomBytes(dice, dice.roll(300)),
];

/** The bytes as they are, one time in four. */
export function mutateProtobuf(bytes: Buffer, dice: Dice): Buffer {
  let mutated = bytes;
  for (let times = dice.roll(4); times > 0; times -= 1) mutated = dice.pick(MUTATIONS)(mutated, dice);
  return mutated;
}

export function flipBit(bytes: Buffer, dice: Dice): Buffer {
  if (bytes.length === 0) return bytes;
  const flipped = Buffer.from(bytes);
  const at = dice.roll(bytes.length);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << dice.roll(8)), at);
  return flipped;
}

export function randomBytes(dice: Dice, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => dice.roll(256)));
}

function insert(bytes: Buffer, at: number, more: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}

/** Submessages in field 1, each in the one before. */
function nest(bytes: Buffer, dice: Dice): Buffer {
  let nested = bytes;
  for (let depth = dice.roll(100); depth > 0 && nested.length < 16_000; depth -= 1) {
    const length = nested.length < 128 ? [nested.length] : [(nested.length & 0x7f) | 0x80, nested.length >> 7];
    nested = Buffer.concat([Buffer.from([0x0a, ...length]), nested]);
  }
  return nested;
}
