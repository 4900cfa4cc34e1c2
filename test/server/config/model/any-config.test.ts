import { type DescMessage, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { type ConfigReading, parseConfig } from "../../../../src/server/config/config.ts";
import { formatProblem } from "../../../../src/server/config/problem.ts";
import { ConfigSchema } from "../../../../src/server/gen/ggen/backpressure/config/v1/config_pb.ts";
import { LimiterSchema } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { limiterConfig } from "../../../../src/server/wire/limiter-wire.ts";
import { validLimiter } from "../../wire/limiter-arbitrary.ts";

/** A dollar in it is one. */
const parse = (text: string): ConfigReading =>
  parseConfig(text.replaceAll("$", "$$$$"), { path: "b.yaml", overrides: [] });

/** Reads the text, which may be anything. */
function expectAnswer(text: string): void {
  const reading = parse(text);
  if (reading.kind === "loaded") return;
  expect(reading.problems.length).toBeGreaterThan(0);
  for (const problem of reading.problems) expect(formatProblem(problem)).toMatch(/^b\.yaml:\d+:\d+: \S/);
}

/** Pieces of YAML, of which chance makes something that is nearly a configuration. */
const PIECES = [
  ...["listeners", "limits", "limiters", "logging", "liveness", "name", "max_rps", "maxConcurrent", "ttl", "level"],
  ...[
    '"\\ud800"',
    "10s",
    "0",
    "-1",
    "1e9",
    ".inf",
    "true",
    "null",
    "~",
    '"a:b"',
    "'x'",
    "&",
    "&a",
    "*a",
    "<<",
    "!!map ",
    "!x ",
  ],
  ...["- ", "? ", ": ", ", ", "[", "]", "{", "}", "#", "\n", "\n  ", "\n    ", "\n- ", "|\n", ">\n", "\t"],
  ...["---\n", "...\n", "%YAML 1.1\n"],
];

const pieces = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 3 })), { maxLength: 60 })
  .map((chosen) => chosen.join(""));

const anyValue = fc.oneof(
  fc.constantFrom(
    "\ud800",
    "10s",
    "0",
    "info",
    "127.0.0.1:0",
    "a",
    null,
    true,
    0,
    1,
    1.5,
    -1,
    1e300,
    Number.NaN,
    [],
    {},
  ),
  fc.anything({ maxDepth: 2, key: fc.string(), withDate: true, withBigInt: true, values: [fc.string(), fc.double()] }),
);

/** A message whose fields are there or not, and mostly wrong. */
function anyMessage(desc: DescMessage): fc.Arbitrary<unknown> {
  const fields = desc.fields.map((field) => {
    const right =
      field.message?.file === desc.file || field.message === LimiterSchema ? anyMessage(field.message) : anyValue;
    const list = fc.array(fc.oneof(right, anyValue), { maxLength: 3 });
    return [field.name, fc.oneof(anyValue, field.fieldKind === "list" ? list : right)] as const;
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

describe("whatever stands in a file, it is loaded or refused with its problems", () => {
  it("text of any kind", () => {
    fc.assert(fc.property(fc.oneof(pieces, fc.string({ unit: "binary", maxLength: 200 })), expectAnswer), {
      numRuns: 1_000,
    });
  });

  it("values of any type in every field", () => {
    const texts = anyMessage(ConfigSchema).map((message) => stringify(message, { aliasDuplicateObjects: true }));
    fc.assert(fc.property(texts, expectAnswer), { numRuns: 500 });
  });
});

describe("every valid limiter", () => {
  it("can be declared in protobuf's own JSON, and means the same", () => {
    fc.assert(
      fc.property(validLimiter, (message) => {
        const wanted = limiterConfig(message);
        const limiters = wanted.kind === "valid" ? [wanted.config] : [];
        expect(parse(stringify({ limiters: [toJson(LimiterSchema, message)] }))).toMatchObject({
          kind: "loaded",
          limiters,
        });
      }),
    );
  });
});
