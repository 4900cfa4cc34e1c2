/** Flow figures: what the board says of times and rates is what a stop-watch would say. */

import { describe, expect, it } from "vitest";
import { MINUTE, SECOND } from "../builders.ts";
import { DAY, HOUR, queue, work } from "./boards.ts";
import { createBoardScene } from "./scene.ts";

const STAGES = [queue("In"), work("Work", 3), work("Review", 2), queue("Out")];

/**
 * A card comes each five minutes; work on it takes twelve, review seven, and so at most three are in Work and two in
 * Review. Writes down what a bystander would, every minute, from `from` to `until` (µs).
 */
function steadyFlow({ from, until }: { readonly from: number; readonly until: number }) {
  const scene = createBoardScene({ stages: STAGES });
  const ends: { readonly at: number; readonly card: string }[] = [];
  const standing = { board: 0, work: 0, review: 0 };
  const leads: number[] = [];
  let looks = 0;
  let added = 0;
  for (let now = 0; now <= until; now += MINUTE) {
    for (const { card } of ends.filter(({ at }) => at === now)) {
      scene.finish(card);
      if (scene.card(card).state === "completed" && now >= from) leads.push(now - scene.card(card).addedAt);
    }
    if (now % (5 * MINUTE) === 0) scene.add(`${added++}`);
    for (const [stage, minutes] of [
      ["Review", 7],
      ["Work", 12],
    ] as const) {
      for (let id = scene.take(stage); scene.board.cards.has(id); id = scene.take(stage)) {
        ends.push({ at: now + minutes * MINUTE, card: id });
      }
    }
    if (now >= from) {
      looks += 1;
      const [waiting = 0, working = 0, reviewed = 0] = scene.counts();
      standing.board += waiting + working + reviewed;
      standing.work += working;
      standing.review += reviewed;
    }
    if (now < until) scene.pass(MINUTE);
  }
  const mean = { board: standing.board / looks, work: standing.work / looks, review: standing.review / looks };
  return { scene, mean, leads };
}

describe("the figures of a steady flow", () => {
  const { scene, mean, leads } = steadyFlow({ from: HOUR, until: 3 * HOUR - MINUTE });
  const view = scene.view();
  const [, workStage, review] = view.stages;

  it("have λ and μ as counted: twelve an hour, or one more, by the edge of a minute", () => {
    for (const rate of [
      view.status.arrivalRate,
      view.status.throughput,
      workStage?.arrivalRate,
      workStage?.departureRate,
      review?.arrivalRate,
      review?.departureRate,
    ]) {
      expect([12, 13]).toContain(rate);
    }
  });

  it("have the times as measured: of their mean to the µs, of percentiles never less and at most a tenth more", () => {
    const exact = leads.reduce((sum, lead) => sum + lead, 0) / leads.length;
    expect(view.status.leadTime.mean).toBeCloseTo(exact, 0);
    expect(view.status.leadTime.count).toBe(leads.length);
    expect(workStage?.cycleTime.mean).toBe(12 * MINUTE);
    expect(review?.cycleTime.mean).toBe(7 * MINUTE);
    for (const time of [review?.cycleTime.p50, review?.cycleTime.p85, review?.cycleTime.p95]) {
      expect(time).toBeGreaterThanOrEqual(7 * MINUTE);
      expect(time).toBeLessThanOrEqual(7.7 * MINUTE);
    }
  });

  it("have λW beside the L that was counted, alike to a twentieth", () => {
    for (const [expected, counted] of [
      [view.status.expectedCards, mean.board],
      [workStage?.expectedCards, mean.work],
      [review?.expectedCards, mean.review],
    ] as const) {
      expect(Math.abs((expected ?? 0) / counted - 1)).toBeLessThan(0.05);
    }
  });

  it("forget what was more than an hour ago: a board that stands still says so", () => {
    for (let passed = 0; passed < 3; passed++) scene.pass(HOUR);
    expect(scene.view().status).toMatchObject({ arrivalRate: 0, throughput: 0, leadTime: { count: 0 } });
  });
});

describe("times of single cards", () => {
  it("run from when the card was added, and from when it came into its stage, until it is completed", () => {
    const scene = createBoardScene({ stages: STAGES });
    const age = () => {
      const { items } = scene.cardViews();
      const [card] = items;
      return [card?.age, card?.stageAge];
    };
    scene.add("a");
    scene.pass(SECOND);
    expect(age()).toEqual([SECOND, SECOND]);
    scene.take("Work");
    scene.pass(SECOND);
    expect(age()).toEqual([2 * SECOND, SECOND]);
    expect(scene.view().stages[1]?.oldestAge).toBe(SECOND);
    scene.finish("a");
    scene.take("Review");
    scene.finish("a");
    scene.pass(HOUR);
    expect(age()).toEqual([2 * SECOND, HOUR]);
  });

  it("count how long it was blocked, altogether, and while it is so", () => {
    const scene = createBoardScene({ stages: STAGES });
    const blocked = () => [scene.cardViews().items[0]?.blockedTime, scene.view().status.blocked];
    scene.add("a");
    scene.block("a");
    scene.pass(SECOND);
    expect(blocked()).toEqual([SECOND, 1]);
    scene.unblock("a");
    scene.pass(SECOND);
    expect(blocked()).toEqual([SECOND, 0]);
    scene.take("Work");
    scene.block("a");
    scene.pass(SECOND);
    expect(blocked()).toEqual([2 * SECOND, 1]);
    scene.step({ kind: "delete-card", board: "b", cardId: "a", revision: undefined });
    expect(scene.view().status.blocked).toBe(0);
  });

  it("count a card that is sent back as one that left, and came where it went", () => {
    const scene = createBoardScene({ stages: STAGES });
    scene.add("a");
    scene.take("Work");
    scene.finish("a");
    scene.take("Review");
    scene.pass(SECOND);
    scene.sendBack("a");
    scene.take("Work");
    const [, workStage, review] = scene.view().stages;
    expect(review?.cycleTime).toMatchObject({ count: 1, mean: SECOND });
    expect(workStage?.arrivalRate).toBe(2 * (review?.departureRate ?? 0));
  });
});

describe("completions by day", () => {
  it("are counted by days of UTC: what is completed before midnight is yesterday's", () => {
    const epoch = Date.UTC(2026, 10, 24, 23, 59, 59) * 1_000;
    const scene = createBoardScene({ stages: [queue("In"), queue("Out")] }, { epoch });
    const days = () =>
      scene.view().status.completedByDay.map(({ day, count }) => [new Date((day * DAY) / 1_000).toISOString(), count]);
    scene.add("a");
    scene.pass(SECOND - 1);
    scene.add("b");
    expect(days()).toEqual([["2026-11-24T00:00:00.000Z", 2]]);
    scene.pass(1);
    scene.add("c");
    expect(days()).toEqual([
      ["2026-11-24T00:00:00.000Z", 2],
      ["2026-11-25T00:00:00.000Z", 1],
    ]);
  });

  it("are given for the last 90 days on which there were any", () => {
    const scene = createBoardScene({ stages: [queue("In"), queue("Out")] });
    for (let day = 0; day < 100; day++) {
      scene.add(`${day}`);
      scene.pass(DAY);
    }
    const { completedByDay } = scene.view().status;
    expect([completedByDay.length, completedByDay[0], completedByDay.at(-1)]).toEqual([
      90,
      { day: 10, count: 1 },
      { day: 99, count: 1 },
    ]);
  });
});
