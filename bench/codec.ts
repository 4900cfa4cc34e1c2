/** What reading, checking and writing a command of a session costs, by generated code and by the libraries that it stands for. */

import { create, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { CHECKS, READERS, WRITERS } from "../src/server/gen/codec.ts";
import { LeaseState } from "../src/server/gen/ggen/backpressure/v1/lease_pb.ts";
import {
  type SessionAnswerSchema,
  SessionCommandSchema,
  SessionRequestSchema,
  SessionResponseSchema,
} from "../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { violationsByRules } from "../src/server/wire/validate.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atMost, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { threadTime } from "./support/thread-time.ts";

/** Commands in a message: an Acquire and a Release in turns. */
const COMMANDS = 64;
const SHARE = 2_000;
const TURNS = { rounds: 9, warmUp: 2 };
const ID = "AbCdEfGhIjKlMnOpQrSt";

const request = create(SessionRequestSchema, { commands: Array.from({ length: COMMANDS }, (_, i) => commandOf(i)) });
const response = create(SessionResponseSchema, { answers: Array.from({ length: COMMANDS }, (_, i) => answerOf(i)) });
const bytes = Buffer.from(toBinary(SessionRequestSchema, request));

function commandOf(index: number): MessageInitShape<typeof SessionCommandSchema> {
  const id = BigInt(1_000 + index);
  const claims = [{ limiter: "db", key: "tenant-17" }];
  if (index % 2 === 1) return { id, command: { case: "release", value: { leaseId: ID } } };
  return {
    id,
    command: { case: "acquire", value: { claims, holder: "bench-holder-1", requestId: "r".repeat(32) } },
  };
}

function answerOf(index: number): MessageInitShape<typeof SessionAnswerSchema> {
  const id = BigInt(1_000 + index);
  if (index % 2 === 1) return { id, answer: { case: "released", value: { end: 1 } } };
  const lease = {
    id: ID,
    claims: [{ limiter: "db", key: "tenant-17", permits: 1, tokens: 1, fencingToken: 1_764_468_000_000_000n }],
    holder: "bench-holder-1",
    grantTime: { seconds: 1_764_468_000n, nanos: 123_456_000 },
    ttl: { seconds: 30n },
    state: LeaseState.ATTACHED,
  };
  return { id, answer: { case: "granted", value: { lease, validFor: { seconds: 15n } } } };
}

/** ns of CPU for each command. */
function timed(operate: () => unknown): Side {
  return () => {
    const begun = threadTime();
    for (let i = 0; i < SHARE; i++) operate();
    return (threadTime() - begun) / (SHARE * COMMANDS);
  };
}

function ofHot<T>(table: ReadonlyMap<unknown, T>, desc: { readonly typeName: string }): T {
  const found = table.get(desc);
  if (found === undefined) throw new Error(`nothing is generated for ${desc.typeName}`);
  return found;
}

const read = ofHot(READERS, SessionRequestSchema);
const write = ofHot(WRITERS, SessionResponseSchema);
const check = ofHot(CHECKS, SessionCommandSchema);
const each = (handle: (command: Message) => unknown) => () => request.commands.map(handle);

const rounds = await inTurns(
  {
    read: timed(() => read(bytes)),
    fromBinary: timed(() => fromBinary(SessionRequestSchema, bytes, { readUnknownFields: false })),
    check: timed(each(check)),
    validate: timed(() => request.commands.map((command) => violationsByRules(SessionCommandSchema, command))),
    write: timed(() => write(response)),
    toBinary: timed(() => toBinary(SessionResponseSchema, response)),
  },
  TURNS,
);
const sum = (...sides: readonly (readonly number[])[]) =>
  (sides[0] ?? []).map((_, round) => sides.reduce((total, side) => total + (side[round] as number), 0));
const generated = sum(rounds.read, rounds.check, rounds.write);
const libraries = sum(rounds.fromBinary, rounds.validate, rounds.toBinary);

report({
  name: "codec",
  figures: [
    { what: "a command read, checked and answered", unit: "ns", spread: spreadOf(generated), target: atMost(1000) },
    { what: "— to protobuf-es and protovalidate", unit: "×", spread: ratioOf(generated, libraries) },
    { what: "read", unit: "ns", spread: spreadOf(rounds.read) },
    { what: "— by protobuf-es", unit: "ns", spread: spreadOf(rounds.fromBinary) },
    { what: "checked", unit: "ns", spread: spreadOf(rounds.check) },
    { what: "— by protovalidate", unit: "ns", spread: spreadOf(rounds.validate) },
    { what: "written", unit: "ns", spread: spreadOf(rounds.write) },
    { what: "— by protobuf-es", unit: "ns", spread: spreadOf(rounds.toBinary) },
  ],
  notes: [`Messages of ${COMMANDS} commands, half of them Acquire and half Release; CPU time of the one thread.`],
});
