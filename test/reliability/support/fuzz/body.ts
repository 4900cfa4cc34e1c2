/** What stands in a request: an envelope of gRPC and its kin around a message, or the message bare, or neither. */

import { gzipSync } from "node:zlib";
import type { Dice } from "../../../server/machine/dice.ts";
import { envelope } from "../../../server/transport/support/http2-client.ts";
import { mutateProtobuf, randomBytes } from "./protobuf-bytes.ts";

const BOMB = gzipSync(Buffer.alloc(4 << 20));

const BODIES: readonly ((message: Buffer, dice: Dice) => Buffer)[] = [
  (message) => envelope(message),
  (message) => envelope(message),
  (message) => envelope(message),
  (message) => message,
  (message, dice) => envelope(message, dice.roll(256)),
  (message, dice) => envelope(message, 0, dice.pick([0, 1, message.length + 1, 1 << 20, (1 << 20) + 1, 2 ** 32 - 1])),
  (message) => envelope(gzipSync(message), 1),
  () => envelope(BOMB, 1),
  (message) => Buffer.concat([envelope(message), envelope(message)]),
  (message, dice) => envelope(message).subarray(0, dice.roll(message.length + 5)),
  // The end of a stream, as gRPC-Web and Connect say it.
  (message, dice) => Buffer.concat([envelope(message), envelope(Buffer.from("{}"), dice.pick([2, 0x80]))]),
  (message) => Buffer.from(JSON.stringify({ claims: [{ limiter: message.toString("latin1") }] })),
  (_, dice) => randomBytes(dice, dice.roll(100)),
];

export function fuzzedBody(bytes: Buffer, dice: Dice): Buffer {
  return dice.pick(BODIES)(mutateProtobuf(bytes, dice), dice);
}
