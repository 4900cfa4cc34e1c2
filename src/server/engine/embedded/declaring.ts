/**
 * Takes up what a file declares a few limiters at a time, so that a file of thousands holds nothing up: each slice is kept
 * before the next, and other calls have the turns between. What is no longer declared goes last, so that at no time
 * a limiter is missing that the file has.
 */

import type { Clock } from "../../clock.ts";
import type { Declare, Declared } from "../../machine/limiter/command.ts";
import type { LimiterConfig } from "../../machine/limiter/limiter.ts";
import type { State } from "../../machine/limiter/state.ts";

/** What has come of it, once that is kept. */
export interface Declaration extends Omit<Declared, "kind"> {
  /** Limiters of the file that were looked at: all, unless the engine was closed before. */
  readonly applied: number;
  /** Whether all of the file is in force, and what it no longer declares is deleted. */
  readonly whole: boolean;
}

export interface Declaring {
  /**
   * Takes up all of it in one turn, whatever it is, before this returns: for a start, before any call is served. `decided` is
   * called when all limiters of the file are there, and what it no longer declares is there still.
   */
  declareAtOnce(configs: readonly LimiterConfig[], decided: () => void): Promise<Declaration>;
  /** The same in slices; what is no more than one slice in one turn, before this returns. One file at a time. */
  declare(configs: readonly LimiterConfig[], decided: () => void): Promise<Declaration>;
  /** Whatever is under way ends as it stands. */
  close(): void;
}

interface DeclaringOptions {
  readonly clock: Clock;
  readonly state: State;
  /** Carries it out; answers when it is kept. Does nothing once the engine is closed. */
  readonly run: (command: Declare, answer: (outcome: Declared) => void) => void;
}

/** Limiters that one step takes up: a millisecond or two of work where each has changed, and one commit. */
export const DECLARED_AT_ONCE = 100;

export function createDeclaring({ clock, state, run }: DeclaringOptions): Declaring {
  /** Ends the wait for each step that is not kept yet. */
  const stops = new Set<() => void>();
  let closed = false;

  /** Undefined: the engine is closed. */
  function step(configs: readonly LimiterConfig[], undeclared: readonly string[]): Promise<Declared | undefined> {
    return new Promise((resolve) => {
      const stop = () => resolve(undefined);
      if (closed) {
        stop();
        return;
      }
      stops.add(stop);
      run({ kind: "declare", configs, undeclared }, (outcome) => {
        stops.delete(stop);
        resolve(outcome);
      });
    });
  }

  /** Gives other calls a turn. */
  function otherTurns(): Promise<void> {
    return new Promise((resolve) => void clock.schedule(clock.now(), false, resolve));
  }

  async function asOne(configs: readonly LimiterConfig[], decided: () => void): Promise<Declaration> {
    const undeclared = undeclaredBy(state, configs);
    const steps = [step(configs, [])];
    decided();
    if (undeclared.length > 0) steps.push(step([], undeclared));
    const total = createTotal();
    for (const outcome of await Promise.all(steps)) {
      if (outcome === undefined) return { ...createTotal(), applied: 0, whole: false };
      add(total, outcome);
    }
    return { ...total, applied: configs.length, whole: true };
  }

  async function inSlices(configs: readonly LimiterConfig[], decided: () => void): Promise<Declaration> {
    const total = createTotal();
    let applied = 0;

    /** Returns whether the engine is still there. */
    async function take(slice: readonly LimiterConfig[], undeclared: readonly string[]): Promise<boolean> {
      const outcome = await step(slice, undeclared);
      if (outcome === undefined) return false;
      add(total, outcome);
      await otherTurns();
      return true;
    }

    for (const slice of slicesOf(configs)) {
      if (!(await take(slice, []))) return { ...total, applied, whole: false };
      applied += slice.length;
    }
    decided();
    for (const slice of slicesOf(undeclaredBy(state, configs))) {
      if (!(await take([], slice))) return { ...total, applied, whole: false };
    }
    return { ...total, applied, whole: true };
  }

  return {
    declareAtOnce: asOne,
    declare(configs, decided) {
      const isSmall = configs.length + state.limiters.size <= DECLARED_AT_ONCE;
      return isSmall ? asOne(configs, decided) : inSlices(configs, decided);
    },
    close() {
      closed = true;
      for (const stop of stops) stop();
      stops.clear();
    },
  };
}

const WHAT = ["created", "changed", "deleted", "refused"] as const;

type Total = Record<(typeof WHAT)[number], string[]>;

function createTotal(): Total {
  return { created: [], changed: [], deleted: [], refused: [] };
}

function add(total: Total, outcome: Declared): void {
  for (const what of WHAT) {
    for (const name of outcome[what]) total[what].push(name);
  }
}

function* slicesOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let next = 0; next < items.length; next += DECLARED_AT_ONCE) yield items.slice(next, next + DECLARED_AT_ONCE);
}

/** Names of limiters that were declared and are no longer. */
function undeclaredBy({ limiters }: State, configs: readonly LimiterConfig[]): string[] {
  const declared = new Set(configs.map(({ name }) => name));
  const names: string[] = [];
  for (const [name, { declaration }] of limiters)
    if (declaration !== undefined && !declared.has(name)) names.push(name);
  return names;
}
