/** What is read to explain a queue: the limiter, the key of its oldest waiter, and what is in the way elsewhere. */

import { describe, expect, it } from "vitest";
import type { Limiter } from "../../src/client/api/limiter.ts";
import { type LookPorts, lookAt } from "../../src/explain/look.ts";
import { limiterOf, MINUTE, NOW, obstacleOf, standing } from "./builders.ts";

/** Answers for these limiters, and notes what is asked for. */
function portsOf(limiters: readonly Limiter[]) {
  const asked: string[] = [];
  const ports: LookPorts = {
    async limiter(name, key) {
      asked.push(key === "" ? name : `${name}[${key}]`);
      const limiter = limiters.find((each) => each.name === name);
      if (limiter === undefined) throw new Error(`there is no ${name}`);
      return limiter;
    },
    leases: async () => ({ leases: [], readAt: NOW }),
    waiters: async () => [],
  };
  return { ports, asked };
}

const waiting = (name: string, behind: string, key = "") =>
  limiterOf({ name }, standing(2 * MINUTE, { obstacles: [obstacleOf(behind, "WAITERS_AHEAD", key)] }));

describe("a look", () => {
  it("is at one limiter where that is the reason itself", async () => {
    const { ports, asked } = portsOf([limiterOf({}, standing(MINUTE))]);
    expect(await lookAt(ports, "db", "")).toMatchObject({ of: { key: "", readAt: NOW }, others: [] });
    expect(asked).toEqual(["db"]);
  });

  it("follows what is in the way, and goes round no circle", async () => {
    const { ports, asked } = portsOf([waiting("a", "b"), waiting("b", "c"), waiting("c", "a")]);
    const { others } = await lookAt(ports, "a", "");
    expect(others.map(({ limiter }) => limiter.name)).toEqual(["b", "c"]);
    expect(asked).toEqual(["a", "b", "c"]);
  });

  it("follows no more than four", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const { ports } = portsOf(names.map((name, index) => waiting(name, names[index + 1] ?? "h")));
    expect((await lookAt(ports, "a", "")).others).toHaveLength(4);
  });

  it("is content without what it cannot see, but for the limiter itself", async () => {
    const { ports } = portsOf([waiting("a", "gone")]);
    expect((await lookAt(ports, "a", "")).others).toEqual([]);
    await expect(lookAt(ports, "gone", "")).rejects.toThrow("there is no gone");
  });

  it("is at the key of the oldest waiter, or at the one that is asked for", async () => {
    const obstacles = [obstacleOf("db", "CONCURRENCY_EXHAUSTED", "k")];
    const { ports, asked } = portsOf([limiterOf({ keyed: true }, standing(MINUTE, { obstacles }))]);
    expect((await lookAt(ports, "db", "")).of.key).toBe("k");
    expect((await lookAt(ports, "db", "other")).of.key).toBe("other");
    expect(asked.slice(0, 3)).toEqual(["db", "db[k]", "db[other]"]);
  });
});
