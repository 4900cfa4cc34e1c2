/** Every operation is O(1) or O(log n) in waiters and leases: counted in looks at them, with few and with very many. */

import { describe, expect, it } from "vitest";
import type { Acquire, Command } from "../../../../src/server/machine/limiter/command.ts";
import { createMachine, type Machine } from "../../../../src/server/machine/limiter/machine.ts";
import { limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { claimOn, SECOND } from "../builders.ts";
import { countLooks } from "./looks.ts";

const FEW = 16;
const MANY = 20_000;

/** As many holders, waiters, and waiters that are away from the queue, on two limiters together. */
function crowded(count: number): Machine {
  const machine = createMachine({ maxWaiters: 10 * MANY });
  const limits = { maxConcurrent: count, maxWaiters: 10 * MANY, ttl: 1_000 * SECOND };
  const rate = rateOf(1_000_000, 1_000_000);
  machine.step({ kind: "create-limiter", config: limiterOf({ name: "db", ...limits }) }, 0);
  machine.step({ kind: "create-limiter", config: limiterOf({ name: "api", rate, ...limits }) }, 0);
  for (const kind of KINDS.slice(0, 3)) for (let i = 0; i < count; i++) machine.step(ask(kind, i), i);
  for (let i = 0; i < count; i += 2) machine.step(leave("holder", i, "lost"), count + i);
  for (let i = 0; i < count; i++) machine.step(leave("away", i, "lost"), 2 * count + i);
  return machine;
}

describe("cost", () => {
  const few = crowded(FEW);
  const many = crowded(MANY);
  const costs = [few, many].map((machine) => ({ machine, looks: countLooks(machine.state) }));
  const half = (machine: Machine) => (machine === few ? FEW : MANY) / 2;

  // One after the other, on the same two machines.
  it.each<[string, (machine: Machine) => Command]>([
    ["join the queue", () => ask("newcomer", 1)],
    ["leave from the middle of the queue", (machine) => leave("waiter", half(machine), "cancelled")],
    ["be lost from the middle of the queue", (machine) => leave("waiter", half(machine) + 1, "lost")],
    ["come back to the middle of the queue", (machine) => ask("waiter", half(machine) + 1)],
    ["come back before all others", () => ask("away", 0)],
    ["be lost from the head, before all that are away", () => leave("away", 0, "lost")],
    [
      "release, which admits the head",
      () => ({ kind: "release", leaseId: "holder-1", workOutcome: "success", session: undefined }),
    ],
    ["cancel, which admits the head", () => leave("holder", 3, "cancelled")],
    ["be lost while holding", () => leave("holder", 5, "lost")],
    ["resume", () => ({ kind: "resume", leaseId: "holder-5", stream: 1, monitored: true, keepOnCancel: false })],
    ["renew", () => ({ kind: "renew", leaseId: "holder-0" })],
    ["revoke", () => ({ kind: "revoke", leaseId: "holder-7", force: false, message: "" })],
    ["revoke, which admits the head", () => ({ kind: "revoke", leaseId: "holder-7", force: true, message: "" })],
    ["be cancelled by an operator", (machine) => ({ kind: "cancel-waiter", waiterId: `waiter-${half(machine) + 2}` })],
    ["try in vain", () => ({ ...ask("newcomer", 2), kind: "try-acquire" })],
    ["refuse to wait", () => ({ ...ask("newcomer", 3), maxWait: 0 })],
    ["wake for nothing", () => ({ kind: "wake" })],
  ])("does not grow with the queue: %s", (_, command) => {
    const [little = 0, much = 0] = costs.map(({ machine, looks }) =>
      looks.during(() => machine.step(command(machine), machine.state.now + 1)),
    );
    expect(much).toBeLessThanOrEqual(little + SLACK);
  });

  it("does not grow with the queue: expire, which admits the head", () => {
    const [little = 0, much = 0] = costs.map(({ machine, looks }) => {
      const at = machine.state.deadlines.earliest;
      return looks.during(() => machine.step({ kind: "wake" }, at));
    });
    expect(much).toBeLessThanOrEqual(little + SLACK);
  });
});

/** A heap of many is so much deeper than one of few, and a step moves things in it a few times. */
const SLACK = 8 * Math.log2(MANY / FEW);

describe("a session's cost", () => {
  it.each(["renew-session", "try in vain"])("does not grow with what it holds: %s", (what) => {
    const [little = 0, much = 0] = [FEW, MANY].map((count) => {
      const machine = createMachine({ maxWaiters: 10 });
      machine.step({ kind: "create-limiter", config: limiterOf({ name: "db", maxConcurrent: count }) }, 0);
      const session = { id: "s", stream: 1 };
      machine.step({ kind: "open-session", sessionId: "s", stream: 1, monitored: true, keepOnCancel: true }, 0);
      const rest = { claims: [claimOn("db")], holder: "", ttl: undefined, requestId: "", session };
      for (let i = 0; i < count; i++) machine.step({ kind: "try-acquire", id: `${i}`, ...rest }, i);
      const looks = countLooks(machine.state);
      const command: Command =
        what === "renew-session"
          ? { kind: "renew-session", session }
          : { kind: "try-acquire", id: "newcomer", ...rest };
      return looks.during(() => machine.step(command, count));
    });
    expect(much).toBe(little);
  });
});

const KINDS = ["holder", "away", "waiter", "newcomer"] as const;
type Kind = (typeof KINDS)[number];

/** Each has a stream of its own, and comes back with it. */
function streamOf(kind: Kind, index: number): number {
  return (1 + KINDS.indexOf(kind)) * 10 * MANY + index;
}

function ask(kind: Kind, index: number): Acquire {
  const id = `${kind}-${index}`;
  const claims = [claimOn("db"), claimOn("api", { tokens: 0 })];
  const stream = streamOf(kind, index);
  const rest = {
    holder: "",
    maxWait: undefined,
    ttl: undefined,
    requestId: `request of ${id}`,
    monitored: true,
    keepOnCancel: false,
    session: undefined,
  };
  return { kind: "acquire", id, claims, stream, ...rest };
}

function leave(kind: Kind, index: number, how: "cancelled" | "lost"): Command {
  return { kind: "leave", id: `${kind}-${index}`, stream: streamOf(kind, index), how };
}
