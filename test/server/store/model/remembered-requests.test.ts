import { expect, it } from "vitest";
import type { Change, Command } from "../../../../src/server/machine/limiter/command.ts";
import { createMachine } from "../../../../src/server/machine/limiter/machine.ts";
import { limiterOf, rateOf } from "../../../support/limiter-config.ts";
import { createFakeFolder } from "../support/fake-worker.ts";
import { kept, keysOf, open } from "../support/open-store.ts";

it("of the request ids that are remembered, beyond 400,000 the oldest go", async () => {
  const folder = createFakeFolder();
  const { store } = await open(folder);
  const machine = createMachine({ maxWaiters: 100, fencingEpoch: 0 });
  const step = (command: Command): readonly Change[] => machine.step(command, 0).changes;
  step({ kind: "declare", configs: [limiterOf({ rate: rateOf(1_000, 1_000) })], undeclared: [] });
  const claims = [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }];
  const granted = step({
    kind: "try-acquire",
    id: "a",
    claims,
    holder: "a",
    ttl: undefined,
    requestId: "r",
    session: undefined,
  });
  const past = granted.find(({ kind }) => kind === "request-past");
  const many = Array.from({ length: 400_002 }, (_, n) => ({ ...past, requestId: `${n}` }) as Change);
  await kept(folder, store, many);
  expect(keysOf(folder, "request")).toHaveLength(400_000);
  expect([0, 1, 2].map((n) => folder.rows.has(`request:${n}`))).toEqual([false, false, true]);
  await store.close();
});
