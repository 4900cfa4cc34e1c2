/** Boards: what an operator decides about one, and what is shown of it. The defaults of `board.proto` stand here. */

import { create, type DescField } from "@bufbuild/protobuf";
import {
  type Board,
  BoardSchema,
  BoardStatusSchema,
  DayCountSchema,
  FlowSampleSchema,
  FlowTimeSchema,
  type Stage,
  StageKind,
  StageSchema,
  StageStatusSchema,
  type FlowTime as WireFlowTime,
  type FlowSample as WireSample,
  type BoardStatus as WireStatus,
} from "../gen/ggen/backpressure/v1/board_pb.ts";
import type { BoardConfig, StageConfig } from "../machine/board/model.ts";
import type { BoardStatus, BoardView, FlowTime, SampleView, StageView } from "../machine/board/view.ts";
import type { FieldViolation } from "./error-wire.ts";
import { durationToMicros, microsToDuration, msToTimestamp, optionalDuration } from "./time-wire.ts";

/** What a message says about a board, or why it says nothing sensible. */
export type BoardReading =
  | { readonly kind: "valid"; readonly config: BoardConfig; readonly renamed: ReadonlyMap<string, string> }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

/** Output fields of a board: they cannot be set. */
export const BOARD_OUTPUT_FIELDS: ReadonlySet<DescField> = new Set([
  BoardSchema.field.etag,
  BoardSchema.field.declared,
  BoardSchema.field.createTime,
  BoardSchema.field.updateTime,
  BoardSchema.field.status,
  StageSchema.field.status,
]);

const DEFAULT_STAGES: readonly StageConfig[] = [
  { name: "Backlog", kind: "queue", wipLimit: undefined, autoPull: false, limiter: "" },
  { name: "Ready", kind: "queue", wipLimit: 5, autoPull: true, limiter: "" },
  { name: "InProgress", kind: "work", wipLimit: 3, autoPull: false, limiter: "" },
  { name: "Review", kind: "work", wipLimit: 2, autoPull: false, limiter: "" },
  { name: "Done", kind: "queue", wipLimit: undefined, autoPull: true, limiter: "" },
];

const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_TTL = 30_000_000;
const DEFAULT_MAX_CARDS = 100_000;
const DEFAULT_KEEP_COMPLETED = 1_000;
const DEFAULT_MAX_PULLERS = 10_000;
const DAY_MS = 86_400_000;

/** The configuration that a board's message stands for; the contract's rules it has passed. `field`: where it stands. */
export function boardConfig(message: Board, field = "board"): BoardReading {
  const violations = [...stageViolations(message.stages, field), ...retentionViolations(message, field)];
  if (violations.length > 0) return { kind: "invalid", violations };
  const last = message.stages.length - 1;
  const stages = message.stages.map((stage, index) => stageConfig(stage, index === 0 || index === last, index === 0));
  const config: BoardConfig = {
    name: message.name,
    description: message.description,
    stages: stages.length === 0 ? DEFAULT_STAGES : stages,
    maxAttempts: message.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
    ttl: message.ttl === undefined ? DEFAULT_TTL : durationToMicros(message.ttl),
    maxCards: message.maxCards ?? DEFAULT_MAX_CARDS,
    keepCompleted: message.keepCompleted ?? DEFAULT_KEEP_COMPLETED,
    keepCompletedFor: message.keepCompletedFor && durationToMicros(message.keepCompletedFor),
    maxPullers: message.maxPullers ?? DEFAULT_MAX_PULLERS,
  };
  const renamed = new Map(
    message.stages.filter(({ renamedFrom }) => renamedFrom !== "").map(({ name, renamedFrom }) => [name, renamedFrom]),
  );
  return { kind: "valid", config, renamed };
}

/** The fields of a board's message, without those for output. */
export function boardFields(config: BoardConfig) {
  return {
    name: config.name,
    description: config.description,
    stages: config.stages.map((stage, index) => stageFields(stage, index === 0)),
    maxAttempts: config.maxAttempts,
    ttl: microsToDuration(config.ttl),
    maxCards: config.maxCards,
    keepCompleted: config.keepCompleted,
    keepCompletedFor: optionalDuration(config.keepCompletedFor),
    maxPullers: config.maxPullers,
  };
}

/** A board as any client may see it. */
export function boardMessage(view: BoardView): Board {
  return create(BoardSchema, {
    ...boardFields(view.config),
    stages: view.stages.map(stageMessage),
    etag: String(view.revision),
    declared: view.declared,
    createTime: msToTimestamp(view.createdAt),
    updateTime: msToTimestamp(view.updatedAt),
    status: statusMessage(view.status),
  });
}

export function sampleMessage({ at, counts }: SampleView): WireSample {
  return create(FlowSampleSchema, { time: msToTimestamp(at), cards: counts.map(BigInt) });
}

function stageConfig(stage: Stage, atEnd: boolean, first: boolean): StageConfig {
  const kind = atEnd || stage.kind === StageKind.QUEUE ? "queue" : "work";
  return {
    name: stage.name,
    kind,
    wipLimit: stage.wipLimit,
    autoPull: kind === "queue" && !first && (stage.autoPull ?? true),
    limiter: stage.limiter,
  };
}

function stageFields(stage: StageConfig, first: boolean) {
  return {
    name: stage.name,
    kind: stage.kind === "queue" ? StageKind.QUEUE : StageKind.WORK,
    wipLimit: stage.wipLimit,
    autoPull: stage.kind === "queue" && !first ? stage.autoPull : undefined,
    limiter: stage.limiter,
  };
}

/** What the rules of single fields cannot say of a board's stages. */
function stageViolations(stages: readonly Stage[], field: string): readonly FieldViolation[] {
  const violations: FieldViolation[] = [];
  const complain = (path: string, reason: string, description: string) =>
    violations.push({ field: `${field}.${path}`, reason, description });
  if (stages.length === 1) complain("stages", "board.stages", "must be at least 2, or none for the usual five");
  const names = new Map<string, number>();
  const origins = new Map<string, number>();
  for (const [index, stage] of stages.entries()) {
    const path = `stages[${index}]`;
    const atEnd = index === 0 || index === stages.length - 1;
    const queue = atEnd || stage.kind === StageKind.QUEUE;
    const twin = names.get(stage.name);
    if (twin !== undefined) complain(`${path}.name`, "stage.unique", `is the name of stages[${twin}] already`);
    names.set(stage.name, index);
    const rival = stage.renamedFrom === "" ? undefined : origins.get(stage.renamedFrom);
    if (rival !== undefined) {
      complain(`${path}.renamed_from`, "stage.renamed_from", `is what stages[${rival}] is renamed from already`);
    }
    origins.set(stage.renamedFrom, index);
    if (atEnd && stage.kind === StageKind.WORK) {
      complain(`${path}.kind`, "stage.ends", "must be QUEUE: work is done between the first and the last stage");
    }
    if (stage.autoPull !== undefined && (!queue || index === 0)) {
      complain(`${path}.auto_pull`, "stage.auto_pull", "is for a QUEUE behind the first stage");
    }
    if (stage.limiter !== "" && queue) complain(`${path}.limiter`, "stage.limiter", "is for a WORK stage");
  }
  return violations;
}

/** Completed cards must not fill the last stage for ever, or nothing moves any more. */
function retentionViolations(
  { stages, keepCompleted, keepCompletedFor }: Board,
  field: string,
): readonly FieldViolation[] {
  const limit = stages.at(-1)?.wipLimit;
  const kept = keepCompleted ?? DEFAULT_KEEP_COMPLETED;
  if (limit === undefined || kept < limit || keepCompletedFor !== undefined) return [];
  const description =
    `is no limit for the last stage while keep_completed is ${kept}: so many completed cards stay there and would fill it ` +
    "for ever. Leave the limit out, keep fewer than it says, or set keep_completed_for";
  return [{ field: `${field}.stages[${stages.length - 1}].wip_limit`, reason: "stage.completed", description }];
}

function stageMessage(view: StageView, index: number) {
  const { tally } = view;
  return {
    ...stageFields(view.config, index === 0),
    status: create(StageStatusSchema, {
      cards: view.cards,
      waiting: tally.waiting,
      active: tally.active,
      blocked: tally.blocked,
      finished: tally.finished,
      sentBack: tally["sent-back"],
      pullers: view.pullers,
      arrivalRate: view.arrivalRate,
      departureRate: view.departureRate,
      cycleTime: flowTimeMessage(view.cycleTime),
      expectedCards: view.expectedCards,
      oldestAge: optionalDuration(view.oldestAge),
    }),
  };
}

function statusMessage(status: BoardStatus): WireStatus {
  return create(BoardStatusSchema, {
    cards: status.cards,
    completed: status.completed,
    arrivalRate: status.arrivalRate,
    throughput: status.throughput,
    leadTime: flowTimeMessage(status.leadTime),
    expectedCards: status.expectedCards,
    bottleneck: status.bottleneck,
    addedCount: BigInt(status.added),
    completedCount: BigInt(status.everCompleted),
    completedByDay: status.completedByDay.map(({ day, count }) =>
      create(DayCountSchema, { day: new Date(day * DAY_MS).toISOString().slice(0, 10), count }),
    ),
    sequence: BigInt(status.sequence),
    blocked: status.blocked,
  });
}

function flowTimeMessage({ count, mean, p50, p85, p95 }: FlowTime): WireFlowTime {
  return create(FlowTimeSchema, {
    count: BigInt(count),
    mean: optionalDuration(mean),
    p50: optionalDuration(p50),
    p85: optionalDuration(p85),
    p95: optionalDuration(p95),
  });
}
