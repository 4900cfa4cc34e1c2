/** The readers, writers and checks that are generated, against protobuf-es and protovalidate. */

import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHECKS, READERS, WRITERS } from "../../../src/server/gen/codec.ts";
import {
  AdmissionService,
  RenewRequestSchema,
  TryAcquireResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionService } from "../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Check, Read, Write } from "../../../src/server/protobuf/codec.ts";
import { violationsByRules } from "../../../src/server/wire/validate.ts";
import { messageOf } from "./support/messages.ts";
import { wireOf } from "./support/wire.ts";

const RUNS = { numRuns: 1_000 };

type Attempt = { readonly message: Message } | "refused";

function attempt(read: () => Message): Attempt {
  try {
    return { message: read() };
  } catch {
    return "refused";
  }
}

function byProtobuf(desc: DescMessage, bytes: Uint8Array): Message {
  return fromBinary(desc, bytes, { readUnknownFields: false });
}

function readsAlike(desc: DescMessage, read: Read) {
  return fc.property(wireOf(desc), (bytes) => {
    expect(attempt(() => read(bytes))).toStrictEqual(attempt(() => byProtobuf(desc, bytes)));
  });
}

function writesAlike(desc: DescMessage, write: Write) {
  return fc.property(messageOf(desc), (message) => {
    expect(write(message).toString("hex")).toBe(Buffer.from(toBinary(desc, message)).toString("hex"));
  });
}

/** A check may say no to a span of time that is written as no clock would; of any other message it knows. */
function checksAlike(desc: DescMessage, check: Check) {
  return fc.property(messageOf(desc, "normal"), messageOf(desc, "any"), (normal, any) => {
    expect(check(normal)).toBe(violationsByRules(desc, normal).length === 0);
    if (check(any)) expect(violationsByRules(desc, any)).toEqual([]);
  });
}

const named = <T>(table: ReadonlyMap<DescMessage, T>) =>
  [...table].map(([desc, one]) => [desc.name, desc, one] as const);
const METHODS = [...AdmissionService.methods, ...SessionService.methods];

describe("readers", () => {
  it.each(named(READERS))("make of any bytes of %s what protobuf-es makes of them", (_, desc, read) => {
    fc.assert(readsAlike(desc, read), RUNS);
  });

  it.each(METHODS)("there is one for the requests of $name", ({ input }) => {
    expect(READERS.has(input)).toBe(true);
  });

  const desc = AdmissionService.method.tryAcquire.input as DescMessage;
  const read = READERS.get(desc) as Read;
  const BUGS: Record<string, Read> = {
    "unknown fields are kept": (bytes) => fromBinary(desc, bytes),
    "a message that is cut off is taken": (bytes) => {
      for (let end = bytes.byteLength; ; end--) {
        const got = attempt(() => read(bytes.subarray(0, end)));
        if (got !== "refused") return got.message;
      }
    },
    "the last byte is not read": (bytes) => read(bytes.subarray(0, -1)),
    "what a field was not set to is undefined": (bytes) =>
      Object.assign(create(desc, { ttl: undefined } as never), { ttl: undefined }, read(bytes)),
  };
  it.each(Object.entries(BUGS))("control: %s, and that is found", (_, broken) => {
    expect(fc.check(readsAlike(desc, broken), RUNS).failed).toBe(true);
  });
});

describe("writers", () => {
  it.each(named(WRITERS))("write %s as protobuf-es does, to the byte", (_, desc, write) => {
    fc.assert(writesAlike(desc, write), RUNS);
  });

  it.each(METHODS)("there is one for the responses of $name", ({ output }) => {
    expect(WRITERS.has(output)).toBe(true);
  });

  it("write what an earlier version has not known", () => {
    const message = create(TryAcquireResponseSchema, {
      result: { case: "granted", value: { secret: "s" } },
    });
    message.$unknown = [{ no: 99, wireType: 2, data: Buffer.from("\x03abc") }];
    const write = WRITERS.get(TryAcquireResponseSchema) as Write;
    expect(write(message).toString("hex")).toBe(
      Buffer.from(toBinary(TryAcquireResponseSchema, message)).toString("hex"),
    );
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 32])(
    "refuse %d as a uint32, and write the next message all the same",
    (permits) => {
      const write = WRITERS.get(TryAcquireResponseSchema) as Write;
      const granted = (value: number) =>
        create(TryAcquireResponseSchema, {
          result: { case: "granted", value: { lease: { id: "a", claims: [{ limiter: "db", permits: value }] } } },
        });
      expect(() => write(granted(permits))).toThrow(`invalid uint32: ${permits}`);
      expect(write(granted(7))).toEqual(Buffer.from(toBinary(TryAcquireResponseSchema, granted(7))));
    },
  );

  it("control: a text that is cut, and that is found", () => {
    const desc = TryAcquireResponseSchema;
    const write = WRITERS.get(desc) as Write;
    const broken: Write = (message) => write(message).subarray(0, 200);
    expect(fc.check(writesAlike(desc, broken), RUNS).failed).toBe(true);
  });
});

describe("checks", () => {
  it.each(named(CHECKS))("know of %s whether protovalidate finds anything", (_, desc, check) => {
    fc.assert(checksAlike(desc, check), RUNS);
  });

  it.each(METHODS)("there is one for the requests of $name", ({ input }) => {
    expect(CHECKS.has(input)).toBe(true);
  });

  it.each([1_000, 1_001])("count %d leases", (count) => {
    const leases = Array.from({ length: count }, () => ({ leaseId: "a", secret: "b" }));
    const request = create(RenewRequestSchema, { leases });
    expect(CHECKS.get(RenewRequestSchema)?.(request)).toBe(count <= 1_000);
    expect(violationsByRules(RenewRequestSchema, request)).toHaveLength(count <= 1_000 ? 0 : 1);
  });

  const desc = AdmissionService.method.tryAcquire.input as DescMessage;
  it.each([true, false])("control: one that always says %s, and that is found", (says) => {
    expect(
      fc.check(
        checksAlike(desc, () => says),
        RUNS,
      ).failed,
    ).toBe(true);
  });
});
