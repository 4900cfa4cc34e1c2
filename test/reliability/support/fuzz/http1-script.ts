/** What one connection says over HTTP/1.1: requests one after another, some of them none. */

import type { Dice } from "../../../server/machine/dice.ts";
import { fuzzedBody } from "./body.ts";
import { CONTENT_TYPES, TIMEOUTS } from "./fields.ts";
import { flipBit, randomBytes } from "./protobuf-bytes.ts";
import { SAMPLES } from "./requests.ts";

const TARGETS = [
  "/",
  "*",
  "http://a:99999/",
  "//a:99999/x",
  "/%",
  "/\u0000",
  "x",
  "",
  "/metrics?x=y",
  `/${"y".repeat(20_000)}`,
];
const HEADERS: readonly ((dice: Dice) => string)[] = [
  (dice) => `connect-timeout-ms: ${dice.pick(["0", "-1", "99999999999", "x"])}`,
  (dice) => `grpc-timeout: ${dice.pick(TIMEOUTS)}`,
  (dice) => `content-encoding: ${dice.pick(["gzip", "br", "identity", "x"])}`,
  (dice) => `transfer-encoding: ${dice.pick(["chunked", "gzip, chunked", "x"])}`,
  (dice) => `content-length: ${dice.pick(["0", "1", "-1", "99999999999999999999", "1, 1", "x"])}`,
  (dice) => `host: ${dice.pick(["a:99999", "", "[", "a b"])}`,
  (dice) => `connection: ${dice.pick(["close", "upgrade", "keep-alive, x"])}`,
  (dice) => `upgrade: ${dice.pick(["h2c", "websocket"])}`,
  () => "expect: 100-continue",
  () => "expect: a miracle",
  () => " folded: value",
  () => "no colon",
  () => "x: \u0000\u0001",
  (dice) => `x-long: ${"z".repeat(dice.roll(20_000))}`,
  (dice) => `origin: ${dice.pick(["null", "http://a", "x"])}\r\naccess-control-request-method: POST`,
];

/** Both ends of the bytes as they are, or nearly so. */
export function http1Script(dice: Dice, requests: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < requests; i += 1) parts.push(request(dice));
  const whole = Buffer.concat(parts);
  if (dice.chance(10)) return flipBit(whole, dice);
  if (dice.chance(5)) return randomBytes(dice, 100);
  return dice.chance(10) ? whole.subarray(0, dice.roll(whole.length)) : whole;
}

function request(dice: Dice): Buffer {
  const { path, bytes } = dice.pick(SAMPLES);
  const body = fuzzedBody(bytes, dice).subarray(0, 5_000);
  const method = dice.chance(80) ? "POST" : dice.pick(["GET", "OPTIONS", "HEAD", "CONNECT", "PRI", "X", ""]);
  const version = dice.chance(95) ? "HTTP/1.1" : dice.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", ""]);
  const lines = [
    `${method} ${dice.chance(85) ? path : dice.pick(TARGETS)} ${version}`,
    "host: localhost",
    `content-type: ${dice.pick(CONTENT_TYPES)}`,
    dice.chance(80) ? `content-length: ${body.length}` : "transfer-encoding: chunked",
  ];
  for (let times = dice.roll(3); times > 0; times -= 1) lines.push(dice.pick(HEADERS)(dice));
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}
