/** What one connection says over HTTP/2: a right beginning, and then what no peer should say. RFC 9113, RFC 7541. */

import type { Dice } from "../../../server/machine/dice.ts";
import {
  END_STREAM,
  frame,
  literal,
  PREFACE,
  resetFrame,
  SETTINGS_ACK,
} from "../../../server/transport/support/http2-frames.ts";
import { fuzzedBody } from "./body.ts";
import { fuzzedFields } from "./fields.ts";
import { flipBit, randomBytes } from "./protobuf-bytes.ts";
import { SAMPLES } from "./requests.ts";

export interface Script {
  readonly bytes: Buffer;
  /** How many are in it. None comes after one that must end the connection. */
  readonly frames: number;
  /** Whether a ping at its end is answered: no frame is left half, and none must end the connection. */
  readonly isAnswered: boolean;
}

const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 32;

interface State {
  readonly dice: Dice;
  /** The latest that was opened; 0: none. */
  latest: number;
}

type Fields = readonly (readonly [name: string, value: string])[];
type Trick = (state: State) => readonly Buffer[];

const RIGHT_CALL: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", SAMPLES[0]?.path ?? ""],
  ["content-type", "application/grpc"],
];

/** What ends a stream at most. */
const TRICKS: readonly Trick[] = [
  call,
  call,
  call,
  call,
  call,
  callInPieces,
  paddedCall,
  // Headers and no end, then trailers, or a reset.
  (state) => [...headers(state, fieldsOf(state), 0), ...(state.dice.chance(50) ? [reset(state)] : trailers(state))],
  // Reset at once, with any code.
  (state) => [...headers(state, fieldsOf(state), 0), resetFrame(state.latest, state.dice.roll(20))],
  ({ dice }) => [frame(0x10 + dice.roll(240), dice.roll(256), dice.roll(50), randomBytes(dice, dice.roll(40)))],
  ({ dice }) => [frame(TYPE.ping, 0, 0, randomBytes(dice, 8))],
  ({ dice }) => [frame(TYPE.settings, 0, 0, settings(dice, RIGHT_SETTINGS))],
  ({ dice, latest }) => [frame(TYPE.priority, 0, 1 + 2 * dice.roll(50), u32(latest + 1, 5))],
  ({ dice }) => [frame(TYPE.windowUpdate, 0, 0, u32(1 + dice.roll(1_000)))],
  (state) => (state.latest === 0 ? [] : [frame(TYPE.windowUpdate, 0, state.latest, u32(1 + state.dice.roll(1_000)))]),
  (state) => (state.latest === 0 ? [] : [reset(state)]),
  (state) => [...headers(state, fieldsOf(state), PRIORITY), frame(TYPE.data, END_STREAM, state.latest)],
];

/** What must end the connection. */
const ENDS: readonly Trick[] = [
  // A length that the body has not.
  (state) => {
    const opened = headers(state, [...RIGHT_CALL, ["content-length", state.dice.pick(["0", "5"])]], 0);
    return [...opened, frame(TYPE.data, END_STREAM, state.latest, randomBytes(state.dice, 8))];
  },
  // Windows that overflow or do not grow.
  (state) => {
    const increment = state.dice.pick([0, 2 ** 31 - 1]);
    return [...headers(state, RIGHT_CALL, 0), frame(TYPE.windowUpdate, 0, state.latest, u32(increment))];
  },
  // A stream that depends on itself.
  ({ latest }) => {
    const stream = latest === 0 ? 1 : latest + 2;
    const payload = Buffer.concat([u32(stream, 5), Buffer.from([0x83, 0x86, 0x84])]);
    return [frame(TYPE.headers, END_HEADERS | PRIORITY | END_STREAM, stream, payload)];
  },
  (state) => headers(state, [], 0, randomBytes(state.dice, 1 + state.dice.roll(60))),
  // An index that there is not, a table that may not be, a length without end, a string beyond the end.
  (state) =>
    headers(
      state,
      [],
      0,
      Buffer.from(
        state.dice.pick([
          [0x80],
          [0xff, 0xff, 0x7f],
          [0x3f, 0xff, 0xff, 0x7f],
          [0x40, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
          [0x00, 0x0a, 0x61],
        ]),
      ),
    ),
  ({ dice }) => [frame(TYPE.settings, 0, 0, settings(dice, WRONG_SETTINGS))],
  ({ dice }) => [frame(TYPE.settings, 0, dice.pick([0, 1]), randomBytes(dice, 1 + dice.roll(5)))],
  ({ dice }) => [frame(TYPE.settings, 1, 0, randomBytes(dice, 6))],
  ({ dice }) => [frame(TYPE.continuation, END_HEADERS, 1 + 2 * dice.roll(5), randomBytes(dice, dice.roll(20)))],
  // Headers that are not continued by their own kind.
  ({ latest }) => [frame(TYPE.headers, 0, latest + 2, Buffer.from([0x83])), frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ({ dice }) => [frame(TYPE.data, 0, 0, randomBytes(dice, 3))],
  ({ dice }) => [frame(TYPE.data, PADDED, 1, Buffer.from([200, dice.roll(256)]))],
  ({ dice }) => [frame(TYPE.ping, 0, dice.pick([0, 1]), randomBytes(dice, dice.pick([0, 7, 9])))],
  ({ dice }) => [frame(TYPE.windowUpdate, 0, 0, u32(dice.pick([0, 2 ** 31 - 1])))],
  ({ dice }) => [frame(TYPE.pushPromise, END_HEADERS, 1, u32(dice.roll(10)))],
  ({ dice }) => [frame(TYPE.rstStream, 0, dice.pick([0, 9_999]), u32(dice.roll(20)))],
  ({ dice }) => [frame(TYPE.goaway, 0, 0, randomBytes(dice, dice.pick([8, 20, 3])))],
  ({ dice }) => [frame(TYPE.headers, END_HEADERS, 2 * dice.roll(10), Buffer.from([0x83, 0x86, 0x84]))],
  // A frame that says that it is larger than any may be.
  ({ dice }) => [Buffer.concat([Buffer.from([0xff, 0xff, 0xff, dice.roll(10), 0, 0, 0, 0, 1]), randomBytes(dice, 50)])],
  ({ dice }) => [randomBytes(dice, 9 + dice.roll(200))],
];

/** `most`: frames, about. */
export function http2Script(dice: Dice, most: number): Script {
  const state: State = { dice, latest: 0 };
  const frames: Buffer[] = [];
  while (frames.length < most) frames.push(...dice.pick(TRICKS)(state));
  const fate = dice.roll(100);
  const start = [PREFACE, SETTINGS_ACK];
  if (fate < 40) return { bytes: Buffer.concat([...start, ...frames]), frames: frames.length, isAnswered: true };
  if (fate < 80) frames.push(...(dice.chance(30) ? fourFrames : dice.pick(ENDS))(state));
  else if (fate < 90) frames.push(flipBit(Buffer.concat(frames.splice(-3)), dice));
  else frames.push(frames.splice(-1)[0]?.subarray(0, -1) ?? Buffer.alloc(0));
  return { bytes: Buffer.concat([...start, ...frames]), frames: frames.length, isAnswered: false };
}

function fieldsOf({ dice }: State): Fields {
  return fuzzedFields(dice.pick(SAMPLES).path, dice);
}

function call(state: State): Buffer[] {
  const { dice } = state;
  const { path, bytes } = dice.pick(SAMPLES);
  const body = fuzzedBody(bytes, dice);
  const end = dice.chance(90) ? END_STREAM : 0;
  return [
    ...headers(state, fuzzedFields(path, dice), 0),
    frame(TYPE.data, end, state.latest, body.subarray(0, 16_000)),
  ];
}

function callInPieces(state: State): Buffer[] {
  const { dice } = state;
  const { path, bytes } = dice.pick(SAMPLES);
  const body = fuzzedBody(bytes, dice).subarray(0, 2_000);
  const frames = headers(state, fuzzedFields(path, dice), 0);
  for (let at = 0; at < body.length; ) {
    const next = at + dice.roll(200);
    frames.push(frame(TYPE.data, next >= body.length ? END_STREAM : 0, state.latest, body.subarray(at, next)));
    at = next;
  }
  return frames;
}

function paddedCall(state: State): Buffer[] {
  const { dice } = state;
  const { path, bytes } = dice.pick(SAMPLES);
  const body = fuzzedBody(bytes, dice).subarray(0, 10_000);
  const padding = dice.roll(256);
  const padded = Buffer.concat([Buffer.from([padding]), body, Buffer.alloc(padding)]);
  return [...headers(state, fuzzedFields(path, dice), 0), frame(TYPE.data, PADDED | END_STREAM, state.latest, padded)];
}

function trailers({ dice, latest }: State): Buffer[] {
  const block = Buffer.concat([Buffer.from([0]), literal(dice.pick(["x-late", ":path", "te"])), literal("v")]);
  return [frame(TYPE.headers, END_HEADERS | END_STREAM, latest, block)];
}

function reset({ dice, latest }: State): Buffer {
  return resetFrame(1 + 2 * dice.roll((latest + 1) / 2), dice.roll(20));
}

/** Opens the next stream. The block goes out in one frame or in several, with fields that go into the table or do not. */
function headers(
  state: State,
  fields: Fields,
  flags: number,
  block: Buffer = Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([state.dice.pick([0x00, 0x10, 0x40])]),
      literal(name),
      literal(value),
    ]),
  ),
): Buffer[] {
  const { dice } = state;
  state.latest = state.latest === 0 ? 1 : state.latest + 2 + 2 * dice.roll(2);
  const payload = (flags & PRIORITY) === 0 ? block : Buffer.concat([u32(dice.pick([0, 2 ** 31 - 1]), 5), block]);
  if (dice.chance(85) && payload.length <= 16_000)
    return [frame(TYPE.headers, flags | END_HEADERS, state.latest, payload)];
  const pieces: Buffer[] = [];
  const size = Math.max(10, Math.ceil(payload.length / 4));
  for (let at = 0; at === 0 || at < payload.length; at += size) pieces.push(payload.subarray(at, at + size));
  return pieces.map((piece, at) => {
    const last = at === pieces.length - 1 ? END_HEADERS : 0;
    return at === 0
      ? frame(TYPE.headers, flags | last, state.latest, piece)
      : frame(TYPE.continuation, last, state.latest, piece);
  });
}

type Setting = readonly [id: number, values: readonly number[]];

const RIGHT_SETTINGS: readonly Setting[] = [
  [1, [0, 4_096, 65_536, 2 ** 32 - 1]],
  [2, [0, 1]],
  [3, [0, 1, 2 ** 32 - 1]],
  [4, [0, 1, 65_535, 2 ** 30]],
  [5, [16_384, 2 ** 24 - 1]],
  [6, [0, 1, 2 ** 32 - 1]],
  [0x4242, [7]],
];
const WRONG_SETTINGS: readonly Setting[] = [
  [2, [2, 2 ** 32 - 1]],
  [4, [2 ** 31, 2 ** 32 - 1]],
  [5, [0, 16_383, 2 ** 24]],
];

function settings(dice: Dice, from: readonly Setting[]): Buffer {
  return Buffer.concat(
    Array.from({ length: 1 + dice.roll(4) }, () => {
      const [id, values] = dice.pick(from);
      const bytes = Buffer.alloc(6);
      bytes.writeUInt16BE(id);
      bytes.writeUInt32BE(dice.pick(values), 2);
      return bytes;
    }),
  );
}

/** A number, and zeros up to `length`. */
function u32(value: number, length = 4): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Four frames that made Node abort (`session-keeper.ts`), after some hundred connections: so they come often. */
function fourFrames(state: State): Buffer[] {
  const whole = headers(state, RIGHT_CALL, 0);
  const noPath = headers(
    state,
    RIGHT_CALL.filter(([name]) => name !== ":path"),
    0,
  );
  return [...whole, ...noPath, resetFrame(state.latest), resetFrame(1_001)];
}
