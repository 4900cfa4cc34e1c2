/** Headers of calls, most of them nearly right. */

import type { Dice } from "../../../server/machine/dice.ts";
import { SAMPLES } from "./requests.ts";

export const CONTENT_TYPES = [
  "application/grpc",
  "application/grpc+proto",
  "application/grpc-web+proto",
  "application/grpc-web-text",
  "application/connect+proto",
  "application/connect+json",
  "application/proto",
  "application/json",
  "application/grpc+json",
  "application/grpc;;;=",
  "text/plain",
  "",
  "*/*",
] as const;

export const TIMEOUTS = ["1S", "0n", "99999999H", "100000000S", "-1S", "1", "S", "1x", "", "1.5S", "٣S", "1S, 2S"];

const PATHS = [
  ...SAMPLES.map(({ path }) => path),
  "/",
  "",
  "*",
  "//",
  "/ggen.backpressure.v1.AdmissionService/",
  "/ggen.backpressure.v1.AdmissionService/Nothing",
  "/a?b=c#d",
  "/%ff%00",
  "http://a:99999/x",
  `/${"x".repeat(9_000)}`,
];

const AUTHORITIES = ["a:99999", "", " ", "[::1", "[::1]:x", "a b", "@", "a\u0000b", "é", "x".repeat(5_000)];

type Pairs = (readonly [name: string, value: string])[];

const TWISTS: readonly ((fields: Pairs, dice: Dice) => Pairs)[] = [
  (fields, dice) => set(fields, ":authority", dice.pick(AUTHORITIES)),
  (fields, dice) => set(fields, ":path", dice.pick(PATHS)),
  (fields, dice) => set(fields, ":method", dice.pick(["GET", "PUT", "OPTIONS", "CONNECT", "HEAD", "", "post", "P T"])),
  (fields, dice) => set(fields, ":scheme", dice.pick(["", "https", "ftp", "1:"])),
  (fields, dice) => set(fields, "content-type", dice.pick(CONTENT_TYPES)),
  (fields, dice) => [...fields, ["grpc-timeout", dice.pick(TIMEOUTS)]],
  (fields, dice) => [...fields, ["connect-timeout-ms", dice.pick(["0", "-1", "1e9", "99999999999", "x"])]],
  (fields, dice) => [...fields, [dice.pick(["grpc-encoding", "content-encoding"]), dice.pick(["gzip", "br", "", "x"])]],
  (fields, dice) => [...fields, ["connect-protocol-version", dice.pick(["1", "2", ""])]],
  (fields, dice) => [...fields, ["content-length", dice.pick(["-1", "99999999999999999999", "x", "1, 2"])]],
  (fields, dice) => fields.filter((_, at) => at !== dice.roll(fields.length)),
  (fields, dice) => [...fields, dice.pick(fields)],
  (fields, dice) => [
    ...fields,
    dice.pick([
      ["connection", "close"],
      ["transfer-encoding", "chunked"],
      ["te", "gzip"],
    ]),
  ],
  (fields, dice) => [
    ...fields,
    dice.pick([
      ["X-Upper", "a"],
      ["", "a"],
      [":status", "200"],
      [":x", "y"],
      ["a b", "c"],
    ]),
  ],
  (fields, dice) => [...fields, ["x-odd", dice.pick(["\u0000", "a\r\nb: c", "\u00ff\u00fe", " ", "\t"])]],
  (fields, dice) => [...fields, ["x-bin", dice.pick(["AAAA", "!", "A"])], ["grpc-trace-bin", "\u00ff"]],
  (fields, dice) => [...fields, ["ggen-stream", String(dice.roll(1_000))]],
  (fields, dice) => [...fields, ["cookie", "a=b"], ["cookie", "x".repeat(dice.roll(3_000))]],
  (fields, dice) => [...fields, ...Array.from({ length: dice.roll(200) }, (_, at) => [`x-${at}`, "y"] as const)],
  (fields, dice) => [...fields, ["origin", dice.pick(["null", "http://evil", "x"])]],
];

export function fuzzedFields(path: string, dice: Dice): Pairs {
  let fields: Pairs = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", dice.chance(60) ? "application/grpc" : dice.pick(CONTENT_TYPES)],
    ["te", "trailers"],
  ];
  for (let times = dice.roll(3); times > 0; times -= 1) fields = dice.pick(TWISTS)(fields, dice);
  return fields;
}

function set(fields: Pairs, name: string, value: string): Pairs {
  return fields.map((field) => (field[0] === name ? [name, value] : field));
}
