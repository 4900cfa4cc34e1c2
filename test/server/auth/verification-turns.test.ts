import { expect, test } from "vitest";
import { createVerificationTurns } from "../../../src/server/auth/verification-turns.ts";

const calm = () => new Promise((resolve) => setImmediate(resolve));

test("tokens of one address are verified twenty at a time, those of others beside them", async () => {
  const turns = createVerificationTurns();
  const underWay: (() => void)[] = [];
  const verify = () => new Promise<void>((resolve) => void underWay.push(resolve));
  const all = Array.from({ length: 50 }, () => turns.take("a", verify));
  const other = turns.take("b", async () => "b");
  expect(await other).toBe("b");
  expect(underWay).toHaveLength(20);
  for (let done = 0; done < 50; done++) {
    underWay[done]?.();
    await calm();
    expect(underWay).toHaveLength(Math.min(50, 21 + done));
  }
  await Promise.all(all);
});

test("one that fails makes room, too", async () => {
  const turns = createVerificationTurns();
  const failing = Array.from({ length: 40 }, () => turns.take("a", () => Promise.reject(new Error("no"))));
  for (const one of await Promise.allSettled(failing)) expect(one.status).toBe("rejected");
  expect(await turns.take("a", async () => "served")).toBe("served");
});
