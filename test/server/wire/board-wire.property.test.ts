/** Boards and cards, over the wire: what is shown of one means the same when it is sent back. */

import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cardFromWire } from "../../../src/client/wire/card.ts";
import { BoardSchema, StageKind } from "../../../src/server/gen/ggen/backpressure/v1/board_pb.ts";
import { CardSchema } from "../../../src/server/gen/ggen/backpressure/v1/card_pb.ts";
import type { CardView } from "../../../src/server/machine/board/view.ts";
import { applyBoardUpdate } from "../../../src/server/wire/board-update.ts";
import { boardConfig, boardFields } from "../../../src/server/wire/board-wire.ts";
import { cardToWire, contentFromWire } from "../../../src/server/wire/card-wire.ts";
import { durationToMicros } from "../../../src/server/wire/time-wire.ts";
import { violationsOf } from "../../../src/server/wire/validate.ts";
import { validBoard } from "./board-arbitrary.ts";

const EPOCH = 1_700_000_000_000;

function configOf(message: Parameters<typeof boardConfig>[0]) {
  const reading = boardConfig(message);
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.violations));
  return reading.config;
}

describe("every valid board", () => {
  it("is shown as a valid board that means the same", () => {
    fc.assert(
      fc.property(validBoard, (message) => {
        expect(violationsOf(BoardSchema, message)).toEqual([]);
        const config = configOf(message);
        const shown = create(BoardSchema, boardFields(config));
        const heard = fromBinary(BoardSchema, toBinary(BoardSchema, shown));
        expect(violationsOf(BoardSchema, heard)).toEqual([]);
        expect(configOf(heard)).toEqual(config);
      }),
    );
  });

  it("is read as it says, in every field that it sets", () => {
    fc.assert(
      fc.property(validBoard, (message) => {
        const config = configOf(message);
        const { name, description, maxAttempts, maxCards, keepCompleted, maxPullers } = message;
        const said = { name, description, maxAttempts, maxCards, keepCompleted, maxPullers };
        expect(config).toMatchObject(
          Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
        );
        if (message.ttl) expect(config.ttl).toBe(durationToMicros(message.ttl));
        expect(config.keepCompletedFor).toBe(message.keepCompletedFor && durationToMicros(message.keepCompletedFor));
        for (const [index, stage] of message.stages.entries()) {
          const { wipLimit, limiter } = stage;
          expect(config.stages[index]).toMatchObject({ name: stage.name, wipLimit, limiter });
          if (stage.autoPull !== undefined) expect(config.stages[index]?.autoPull).toBe(stage.autoPull);
          if (stage.kind !== StageKind.UNSPECIFIED)
            expect(config.stages[index]?.kind).toBe(stage.kind === StageKind.QUEUE ? "queue" : "work");
        }
      }),
    );
  });

  it("sent back as it was shown changes nothing", () => {
    fc.assert(
      fc.property(validBoard, (message) => {
        const config = configOf(message);
        const shown = create(BoardSchema, boardFields(config));
        expect(applyBoardUpdate(config, shown, [])).toMatchObject({ kind: "valid", config });
      }),
    );
  });

  it("is refused with a stage named twice, at the second", () => {
    fc.assert(
      fc.property(validBoard, fc.nat(), (message, which) => {
        fc.pre(message.stages.length >= 2 && message.stages.length < 32);
        const twin = message.stages[which % message.stages.length];
        const doubled = clone(BoardSchema, message);
        const middle = create(BoardSchema, { stages: [{ name: twin?.name ?? "" }] }).stages;
        doubled.stages = [...message.stages.slice(0, -1), ...middle, ...message.stages.slice(-1)];
        const names = doubled.stages.map(({ name }) => name);
        const second = names.lastIndexOf(twin?.name ?? "");
        const reading = boardConfig(doubled);
        expect(reading.kind === "invalid" ? reading.violations.map(({ field }) => field) : []).toContain(
          `board.stages[${second}].name`,
        );
      }),
    );
  });
});

describe("every card", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).map((each) => each.toWellFormed());
  const span = fc.integer({ min: 0, max: 86_400_000 }).map((ms) => ms * 1000);
  /** ms since 1970. */
  const instant = fc.integer({ min: EPOCH, max: 2 * EPOCH });
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const content = fc.record({
    title: text,
    description: text,
    data: text,
    priority: fc.integer({ min: -1_000, max: 1_000 }),
  });
  const work = fc.record({
    worker: text,
    caller: fc.oneof(fc.constant("anonymous"), text),
    token: fc.maxSafeNat(),
    pulledAt: instant,
    ttl: maybe(span),
    expiresAt: maybe(instant),
    live: fc.boolean(),
  });
  const card: fc.Arbitrary<CardView> = fc.record({
    id: text,
    content,
    stage: text,
    state: fc.constantFrom("waiting", "active", "blocked", "finished", "sent-back", "completed"),
    work: maybe(work),
    attempt: fc.nat({ max: 1_000 }),
    reason: text,
    result: text,
    addedAt: instant,
    enteredAt: instant,
    completedAt: maybe(instant),
    revision: fc.nat(),
    age: span,
    stageAge: span,
    blockedTime: span,
  });
  const dateOf = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms));

  it("is shown as it stands", () => {
    fc.assert(
      fc.property(card, (view) => {
        const heard = cardFromWire(fromBinary(CardSchema, toBinary(CardSchema, cardToWire(view))));
        const { work: done } = view;
        expect(heard).toEqual({
          id: view.id,
          ...view.content,
          stage: view.stage,
          state: view.state,
          attempt: view.attempt,
          reason: view.reason,
          result: view.result,
          addTime: dateOf(view.addedAt),
          enterTime: dateOf(view.enteredAt),
          completeTime: dateOf(view.completedAt),
          ageMs: view.age / 1000,
          stageAgeMs: view.stageAge / 1000,
          blockedTimeMs: view.blockedTime / 1000,
          etag: String(view.revision),
          lease: done && {
            worker: done.worker,
            caller: done.caller === "anonymous" ? "" : done.caller,
            fencingToken: BigInt(done.token),
            pullTime: dateOf(done.pulledAt),
            ttlMs: done.ttl && done.ttl / 1000,
            expireTime: dateOf(done.expiresAt),
            live: done.live,
          },
        });
      }),
    );
  });

  it("that is sent back says what it said", () => {
    fc.assert(
      fc.property(card, (view) => {
        expect(contentFromWire(cardToWire(view))).toEqual(view.content);
      }),
    );
  });
});
