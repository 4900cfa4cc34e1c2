/** Changes limits while they are in use, pauses limiters, and looks after each start whether what was confirmed is kept. */

import type { LimiterConfig } from "../../../../src/server/machine/limiter/limiter.ts";
import type { World } from "./holder.ts";

export interface Operator {
  /** Gives all limiters back what they had at first. */
  finish(): void;
}

const MS = 1_000;

export function createOperator({ timeline, dice, server, ledger, limiters, faulty }: World): Operator {
  /** What each limiter may have now: what was confirmed, and what was asked since. */
  const possible = new Map<string, LimiterConfig[]>(limiters.map((config) => [config.name, [config]]));

  function change(config: LimiterConfig): void {
    possible.get(config.name)?.push(config);
    server.submit({ kind: "update-limiter", config, revision: undefined }, () => {
      const asked = possible.get(config.name) ?? [];
      possible.set(config.name, asked.slice(asked.indexOf(config)));
    });
  }

  function changeNowAndThen(): void {
    timeline.after(20 * MS + dice.roll(400 * MS), () => {
      if (!faulty()) return;
      if (server.isUp) {
        const config = dice.pick(limiters);
        const most = config.maxConcurrent ?? 1;
        change({ ...config, maxConcurrent: 1 + dice.roll(most), paused: dice.chance(20) });
      }
      changeNowAndThen();
    });
  }

  server.onStart((configs) => {
    for (const [name, asked] of possible) {
      const kept = configs.get(name);
      if (kept === undefined) continue;
      const is = asked.findIndex(
        ({ maxConcurrent, paused }) => maxConcurrent === kept.maxConcurrent && paused === kept.paused,
      );
      if (is === -1) ledger.violate(`${name}: a limit that was confirmed is not kept, at ${timeline.now} µs`);
      // Of what was asked and not kept nothing comes any more.
      possible.set(name, [kept]);
    }
  });
  changeNowAndThen();
  return {
    finish() {
      for (const config of limiters) change({ ...config });
    },
  };
}
