/** A valid configuration means what it says however it is written; what is wrong in one is reported where it stands. */

import { toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Document, isMap, isSeq, type Pair, stringify } from "yaml";
import { parseConfig } from "../../../../src/server/config/config.ts";
import { BoardSchema } from "../../../../src/server/gen/ggen/backpressure/v1/board_pb.ts";
import { LimiterSchema } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { boardConfig } from "../../../../src/server/wire/board-wire.ts";
import { limiterConfig } from "../../../../src/server/wire/limiter-wire.ts";
import { validBoard } from "../../wire/board-arbitrary.ts";
import { validLimiter } from "../../wire/limiter-arbitrary.ts";

/** A dollar in it is one. */
const parse = (text: string) => parseConfig(text.replaceAll("$", "$$$$"), { path: "b.yaml", overrides: [] });

const nameOf = ({ name }: { readonly name: string }) => name;
const declared = fc.record({
  limiters: fc.uniqueArray(validLimiter, { minLength: 1, maxLength: 4, selector: nameOf }),
  boards: fc.uniqueArray(validBoard, { maxLength: 2, selector: nameOf }),
});
type Declared = typeof declared extends fc.Arbitrary<infer D> ? D : never;

function jsonOf({ limiters, boards }: Declared) {
  return {
    limiters: limiters.map((limiter) => toJson(LimiterSchema, limiter)),
    boards: boards.map((board) => toJson(BoardSchema, board)),
  };
}

function meantBy({ limiters, boards }: Declared) {
  const config = <C>(reading: { readonly kind: "valid"; readonly config: C } | { readonly kind: "invalid" }) => {
    if (reading.kind === "invalid") throw new Error("the arbitrary is wrong");
    return reading.config;
  };
  return {
    limiters: limiters.map((message) => config(limiterConfig(message))),
    boards: boards.map((message) => config(boardConfig(message))),
  };
}

describe("a valid configuration", () => {
  it("is loaded as what it says, in block style, in flow style and as JSON", () => {
    fc.assert(
      fc.property(declared, (all) => {
        const json = jsonOf(all);
        const texts = [
          stringify(json),
          stringify(json, { collectionStyle: "flow", lineWidth: 40 }),
          JSON.stringify(json),
          JSON.stringify(json, null, 3),
        ];
        for (const text of texts) expect(parse(text)).toMatchObject({ kind: "loaded", ...meantBy(all) });
      }),
      { numRuns: 25 },
    );
  });

  it("means the same with its fields in another order, and with comments between them", () => {
    fc.assert(
      fc.property(declared, fc.nat(), (all, turn) => {
        const document = new Document(jsonOf(all));
        const limiters = document.get("limiters");
        if (!isSeq(limiters)) throw new Error("no limiters");
        for (const item of limiters.items) {
          if (!isMap(item)) continue;
          const by = turn % item.items.length;
          item.items = [...item.items.slice(by), ...item.items.slice(0, by)].reverse();
          item.commentBefore = " it: is, no: field";
        }
        expect(parse(String(document))).toMatchObject({ kind: "loaded", ...meantBy(all) });
      }),
      { numRuns: 60 },
    );
  });
});

describe("a configuration in which one thing is wrong", () => {
  /** By the kind of what was there. */
  const WRONG: Readonly<Record<string, unknown>> = { string: -1, number: "many", boolean: "perhaps", object: 7 };

  it("is refused, with that field and the line in which it stands", () => {
    fc.assert(
      fc.property(declared, fc.nat(), fc.nat(), (all, which, where) => {
        const document = new Document(jsonOf(all));
        const index = which % all.limiters.length;
        const limiter = document.getIn(["limiters", index]);
        if (!isMap(limiter)) throw new Error("no limiter");
        const pair = limiter.items[where % limiter.items.length] as Pair<{ value: string }, { value: unknown }>;
        const field = pair.key.value;
        const kind = isMap(pair.value) ? "object" : typeof pair.value?.value;
        document.setIn(["limiters", index, field], WRONG[kind]);
        const text = String(document);
        const reading = parse(text);
        if (reading.kind !== "invalid") throw new Error(`${field} was taken:\n${text}`);
        const path = `limiters[${index}].${field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
        const problem = reading.problems.find(
          (each) => each.field.replaceAll(/[A-Z]/g, (l) => `_${l.toLowerCase()}`) === path,
        );
        expect(problem, reading.problems.map((each) => `${each.field}: ${each.message}`).join("\n")).toBeDefined();
        const line = problem?.place.kind === "position" ? text.split("\n")[problem.place.line - 1] : "";
        expect(line).toContain(`${field}:`);
      }),
      { numRuns: 120 },
    );
  });

  it("is refused at an unknown field, wherever that stands, with the name of a similar one", () => {
    const misspelt = fc.constantFrom(
      ["max_rsp", "max_rps"],
      ["max_concurent", "max_concurrent"],
      ["tll", "ttl"],
      ["pausd", "paused"],
      ["burst_sise", "burst_size"],
    );
    fc.assert(
      fc.property(declared, fc.nat(), misspelt, (all, which, [wrong, right]) => {
        const index = which % all.limiters.length;
        const json = jsonOf(all);
        const limiters = json.limiters.map((limiter, at) =>
          at === index ? { ...(limiter as object), [wrong as string]: 1 } : limiter,
        );
        const text = stringify({ ...json, limiters });
        const reading = parse(text);
        if (reading.kind !== "invalid") throw new Error("it was taken");
        const [problem] = reading.problems;
        expect(reading.problems).toHaveLength(1);
        expect(problem?.field).toBe(`limiters[${index}].${wrong}`);
        expect(problem?.message).toBe(`no such field; did you mean ${right}?`);
        const line = text.split("\n").findIndex((each) => each.includes(`${wrong}:`)) + 1;
        expect(problem?.place).toMatchObject({ kind: "position", line });
      }),
      { numRuns: 100 },
    );
  });
});
