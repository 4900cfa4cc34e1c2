/** Boards: protobuf to what the client shows, and what callers choose back. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Board,
  BoardChanges,
  BoardConfig,
  BoardSettings,
  BoardStatus,
  FlowSample,
  FlowTime,
  Stage,
  StageChange,
  StageStatus,
} from "../api/board.ts";
import {
  type BoardSchema,
  StageKind,
  type StageSchema,
  type Board as WireBoard,
  type FlowSample as WireSample,
  type Stage as WireStage,
  type StageStatus as WireStageStatus,
  type BoardStatus as WireStatus,
  type FlowTime as WireTime,
} from "../gen/ggen/backpressure/v1/board_pb.ts";
import { durationToMs, msToDuration, timestampToDate } from "./time.ts";

type BoardInit = Exclude<MessageInitShape<typeof BoardSchema>, WireBoard>;
type StageInit = Exclude<MessageInitShape<typeof StageSchema>, WireStage>;

/** The names of what can be changed in a field mask. */
const PATHS: Record<keyof BoardChanges, string> = {
  description: "description",
  stages: "stages",
  maxAttempts: "max_attempts",
  ttl: "ttl",
  maxCards: "max_cards",
  keepCompleted: "keep_completed",
  keepCompletedFor: "keep_completed_for",
  maxPullers: "max_pullers",
};

export function boardFromWire(wire: WireBoard | undefined): Board {
  if (wire === undefined) throw new TypeError("the server answered without a board");
  return {
    name: wire.name,
    description: wire.description,
    stages: wire.stages.map(stageFromWire),
    maxAttempts: wire.maxAttempts,
    ttl: wire.ttl && durationToMs(wire.ttl),
    maxCards: wire.maxCards,
    keepCompleted: wire.keepCompleted,
    keepCompletedFor: wire.keepCompletedFor && durationToMs(wire.keepCompletedFor),
    maxPullers: wire.maxPullers,
    etag: wire.etag,
    declared: wire.declared,
    createTime: wire.createTime && timestampToDate(wire.createTime),
    updateTime: wire.updateTime && timestampToDate(wire.updateTime),
    status: statusFromWire(wire.status),
  };
}

export function boardConfigToWire({ name, stages = [], ...settings }: BoardConfig): BoardInit {
  return { name, stages: stages.map(stageToWire), ...settingsToWire(settings) };
}

/** The values and the mask that say what to change: `null` is in the mask alone. */
export function boardChangesToWire(changes: BoardChanges): { readonly board: BoardInit; readonly paths: string[] } {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const paths = given.map(([name]) => {
    const path = Object.hasOwn(PATHS, name) ? PATHS[name as keyof BoardChanges] : undefined;
    if (path === undefined) throw new TypeError(`${name} is nothing of a board that can be changed`);
    return path;
  });
  const values = Object.fromEntries(given.filter(([, value]) => value !== null));
  const { stages = [], ...settings } = values as BoardSettings & { readonly stages?: readonly StageChange[] };
  return { board: { stages: stages.map(stageToWire), ...settingsToWire(settings) }, paths };
}

export function flowSampleFromWire({ time, cards }: WireSample): FlowSample {
  return { time: time ? timestampToDate(time) : new Date(Number.NaN), cards: cards.map(Number) };
}

/** Named one by one, here and below: what was read from a board may be given back with all that it says besides. */
function settingsToWire(settings: BoardSettings): BoardInit {
  const { description, maxAttempts, ttl, maxCards, keepCompleted, keepCompletedFor, maxPullers } = settings;
  return {
    description,
    maxAttempts,
    ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl"),
    maxCards,
    keepCompleted,
    keepCompletedFor: keepCompletedFor === undefined ? undefined : msToDuration(keepCompletedFor, "keepCompletedFor"),
    maxPullers,
  };
}

function stageToWire({ name, kind, wipLimit, autoPull, limiter, renamedFrom }: StageChange): StageInit {
  return { name, kind: kind && KINDS[kind], wipLimit, autoPull, limiter, renamedFrom };
}

const KINDS = { queue: StageKind.QUEUE, work: StageKind.WORK } as const;

function stageFromWire(wire: WireStage): Stage {
  return {
    name: wire.name,
    kind: wire.kind === StageKind.WORK ? "work" : "queue",
    wipLimit: wire.wipLimit,
    autoPull: wire.autoPull,
    limiter: wire.limiter,
    status: stageStatusFromWire(wire.status),
  };
}

function stageStatusFromWire(wire: WireStageStatus | undefined): StageStatus {
  return {
    cards: wire?.cards ?? 0,
    waiting: wire?.waiting ?? 0,
    active: wire?.active ?? 0,
    blocked: wire?.blocked ?? 0,
    finished: wire?.finished ?? 0,
    sentBack: wire?.sentBack ?? 0,
    pullers: wire?.pullers ?? 0,
    arrivalsPerHour: wire?.arrivalRate ?? 0,
    departuresPerHour: wire?.departureRate ?? 0,
    cycleTime: flowTimeFromWire(wire?.cycleTime),
    expectedCards: wire?.expectedCards ?? 0,
    oldestAgeMs: wire?.oldestAge && durationToMs(wire.oldestAge),
  };
}

/** Counts are numbers here: none of them reaches 2^53. */
function statusFromWire(wire: WireStatus | undefined): BoardStatus {
  return {
    cards: wire?.cards ?? 0,
    completed: wire?.completed ?? 0,
    blocked: wire?.blocked ?? 0,
    arrivalsPerHour: wire?.arrivalRate ?? 0,
    throughputPerHour: wire?.throughput ?? 0,
    leadTime: flowTimeFromWire(wire?.leadTime),
    expectedCards: wire?.expectedCards ?? 0,
    bottleneck: wire?.bottleneck ?? "",
    addedCount: Number(wire?.addedCount ?? 0),
    completedCount: Number(wire?.completedCount ?? 0),
    completedByDay: wire?.completedByDay.map(({ day, count }) => ({ day, count })) ?? [],
    sequence: Number(wire?.sequence ?? 0),
  };
}

function flowTimeFromWire(wire: WireTime | undefined): FlowTime {
  return {
    count: Number(wire?.count ?? 0),
    meanMs: wire?.mean && durationToMs(wire.mean),
    p50Ms: wire?.p50 && durationToMs(wire.p50),
    p85Ms: wire?.p85 && durationToMs(wire.p85),
    p95Ms: wire?.p95 && durationToMs(wire.p95),
  };
}
