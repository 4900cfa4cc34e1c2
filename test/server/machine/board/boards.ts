/** Boards for tests: two stages of work between queues, nothing limited but what the test is about. Times in µs. */

import type { BoardConfig, CardContent, StageConfig } from "../../../../src/server/machine/board/model.ts";
import { SECOND } from "../builders.ts";

export const HOUR = 3_600 * SECOND;
export const DAY = 24 * HOUR;

/** A queue that pulls by itself. */
export function queue(name: string, wipLimit?: number, about: Partial<StageConfig> = {}): StageConfig {
  return { name, kind: "queue", wipLimit, autoPull: true, limiter: "", ...about };
}

export function work(name: string, wipLimit?: number, about: Partial<StageConfig> = {}): StageConfig {
  return { name, kind: "work", wipLimit, autoPull: false, limiter: "", ...about };
}

/** The five that a board has unless it says otherwise. */
export const FIVE: readonly StageConfig[] = [
  queue("Backlog", undefined, { autoPull: false }),
  queue("Ready", 5),
  work("InProgress", 3),
  work("Review", 2),
  queue("Done"),
];

export function boardOf(about: Partial<BoardConfig> = {}): BoardConfig {
  return {
    name: "b",
    description: "",
    stages: FIVE,
    maxAttempts: 5,
    ttl: 10 * SECOND,
    maxCards: 100_000,
    keepCompleted: 1_000,
    keepCompletedFor: undefined,
    maxPullers: 10_000,
    ...about,
  };
}

export function contentOf(about: Partial<CardContent> = {}): CardContent {
  return { title: "", description: "", data: "", priority: 0, ...about };
}
