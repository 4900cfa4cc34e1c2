/** The machine alone: what a decision costs, and that it costs no more with many waiters, keys or leases. */

import { createIds } from "../src/server/ids.ts";
import { createMachine, type Machine } from "../src/server/machine/admission.ts";
import type { Claim } from "../src/server/machine/claim.ts";
import type { Outcome } from "../src/server/machine/command.ts";
import type { LimiterConfig } from "../src/server/machine/limiter.ts";
import { takeMoved } from "../src/server/machine/read.ts";
import { limiterOf, rateOf } from "../test/support/limiter-config.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { threadTime } from "./support/thread-time.ts";

const MANY = 100_000;
const FEW = 100;
/** Operations of one side in one round. */
const SHARE = 100_000;
const ROUNDS = 15;
/** As many as the machine remembers of the leases that have ended: then every operation also forgets one. */
const WARM_UP = 5;

const ids = createIds();
/** Both limits, and never in the way. */
const BOTH_LIMITS = { rate: rateOf(1_000_000, 1_000_000), maxConcurrent: 1_000_000 };
/** A bucket that is not full again for long once a token was spent: its keys are not forgotten meanwhile. */
const SLOW_REFILL = { rate: rateOf(0.001, 1_000_000), maxConcurrent: 1_000_000 };

/** A machine with one limiter, whose time moves on by a µs with each command. */
interface Bench {
  readonly machine: Machine;
  readonly tryAcquire: (id: string, claims: readonly Claim[]) => Outcome;
  readonly acquire: (id: string, claims: readonly Claim[]) => Outcome;
  readonly release: (leaseId: string) => Outcome;
}

function createBench(about: Partial<LimiterConfig>): Bench {
  const machine = createMachine({ maxWaiters: 1_000_000 });
  let now = 0;
  let stream = 0;
  machine.step({ kind: "create-limiter", config: limiterOf({ maxWaiters: 1_000_000, maxKeys: 1_000_000, ...about }) }, 0);
  return {
    machine,
    tryAcquire(id, claims) {
      now += 1;
      return machine.step({ kind: "try-acquire", id, claims, holder: "bench", ttl: undefined, requestId: "" }, now)
        .outcome;
    },
    acquire(id, claims) {
      now += 1;
      stream += 1;
      return machine.step(
        {
          kind: "acquire",
          id,
          claims,
          holder: "bench",
          maxWait: undefined,
          ttl: undefined,
          requestId: "",
          stream,
          probed: true,
        },
        now,
      ).outcome;
    },
    release(leaseId) {
      now += 1;
      return machine.step({ kind: "release", leaseId, workOutcome: "success" }, now).outcome;
    },
  };
}

function expectKind(outcome: Outcome, kind: Outcome["kind"]): void {
  if (outcome.kind !== kind) throw new Error(`${kind} was expected, and it was ${JSON.stringify(outcome)}`);
}

function claimOn(key: string, tokens = 1): readonly Claim[] {
  return [{ limiter: "db", key, permits: 1, tokens, slots: false }];
}

/** ns an operation. The ids are made before: they are not the machine's. */
function timed(operate: (id: string, index: number) => void): Side {
  return () => {
    const fresh = Array.from({ length: SHARE }, () => ids.next());
    const begun = threadTime();
    for (let index = 0; index < SHARE; index++) operate(fresh[index] as string, index);
    return (threadTime() - begun) / SHARE;
  };
}

function tryAndRelease(bench: Bench, claimsAt: (index: number) => readonly Claim[]): Side {
  return timed((id, index) => {
    expectKind(bench.tryAcquire(id, claimsAt(index)), "granted");
    expectKind(bench.release(id), "ended");
  });
}

function acquireAndRelease(bench: Bench): Side {
  const claims = claimOn("");
  return timed((id) => {
    expectKind(bench.acquire(id, claims), "granted");
    expectKind(bench.release(id), "ended");
  });
}

/** The holder releases, the head is granted in the same step, a newcomer joins at the end: the queue stays as long. */
function handOn(waiters: number): Side {
  const bench = createBench({ maxConcurrent: 1 });
  const claims = claimOn("");
  const line: string[] = [];
  const join = (id: string) => {
    expectKind(bench.acquire(id, claims), "waiting");
    line.push(id);
  };
  let holder = ids.next();
  expectKind(bench.acquire(holder, claims), "granted");
  for (let i = 0; i < waiters; i++) join(ids.next());
  let head = 0;
  return timed((id) => {
    expectKind(bench.release(holder), "ended");
    holder = line[head] as string;
    head += 1;
    join(id);
  });
}

/** ms that the survey of a long queue takes; the engine makes one up to four times a second while a queue moves. */
function surveyQueue(waiters: number): Side {
  const bench = createBench({ maxConcurrent: 1 });
  const claims = claimOn("");
  const line = Array.from({ length: waiters + 1 }, () => ids.next());
  for (const id of line) bench.acquire(id, claims);
  let holder = 0;
  return () => {
    expectKind(bench.release(line[holder] as string), "ended");
    holder += 1;
    const begun = threadTime();
    takeMoved(bench.machine.state);
    return (threadTime() - begun) / 1e6;
  };
}

function withLeases(count: number): Bench {
  const bench = createBench(BOTH_LIMITS);
  const claims = claimOn("");
  for (let i = 0; i < count; i++) expectKind(bench.tryAcquire(ids.next(), claims), "granted");
  return bench;
}

/** A keyed limiter with so many keys in use: `held` by a lease each, or `idle` with a bucket that is not full. */
function withKeys(keys: readonly string[], how: "held" | "idle"): Bench {
  const bench = createBench({ keyed: true, ...SLOW_REFILL });
  for (const key of keys) {
    const id = ids.next();
    expectKind(bench.tryAcquire(id, claimOn(key)), "granted");
    if (how === "idle") expectKind(bench.release(id), "ended");
  }
  return bench;
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** What random keys cost a bare Map of as many: the part that no machine can avoid. */
function lookUp(keys: readonly string[]): Side {
  const map = new Map(keys.map((key) => [key, { count: 0 }]));
  const order = Array.from({ length: SHARE / keys.length }, () => shuffled(keys)).flat();
  return () => {
    const begun = threadTime();
    for (let index = 0; index < SHARE; index++) {
      const value = map.get(order[index] as string);
      if (value) value.count += 1;
    }
    return (threadTime() - begun) / SHARE;
  };
}

async function run(): Promise<void> {
  const keys = Array.from({ length: MANY }, (_, i) => `tenant-${i}`);
  // A key's token is spent when it is opened; without that its bucket would be full, and the key forgotten.
  const claims = keys.map((key) => claimOn(key, 0));
  const inRandomOrder = shuffled(claims);
  const [one = ""] = keys;
  const hot = claims[MANY >> 1] as readonly Claim[];
  const oneClaim = claimOn(one, 0);
  const noKey = claimOn("");
  const held = withKeys(keys, "held");
  const idle = withKeys(keys, "idle");
  const turns = { rounds: ROUNDS, warmUp: WARM_UP };

  const decisions = await inTurns(
    { tries: tryAndRelease(createBench(BOTH_LIMITS), () => noKey), streams: acquireAndRelease(createBench(BOTH_LIMITS)) },
    turns,
  );
  const waiters = await inTurns({ few: handOn(FEW), many: handOn(MANY) }, turns);
  const leases = await inTurns(
    { few: tryAndRelease(withLeases(FEW), () => noKey), many: tryAndRelease(withLeases(MANY), () => noKey) },
    turns,
  );
  const heldKeys = await inTurns(
    {
      one: tryAndRelease(withKeys([one], "held"), () => oneClaim),
      hot: tryAndRelease(held, () => hot),
      random: tryAndRelease(held, (index) => inRandomOrder[index] as readonly Claim[]),
    },
    turns,
  );
  const idleKeys = await inTurns(
    {
      one: tryAndRelease(withKeys([one], "idle"), () => oneClaim),
      hot: tryAndRelease(idle, () => hot),
      random: tryAndRelease(idle, (index) => inRandomOrder[index] as readonly Claim[]),
    },
    turns,
  );
  const map = await inTurns({ one: lookUp([one]), random: lookUp(keys) }, turns);
  const surveys = await inTurns({ many: surveyQueue(MANY) }, turns);

  const micros = (nanos: readonly number[]) => spreadOf(nanos.map((value) => value / 1000));
  const atMost = (value: number) => ({ kind: "at most", value }) as const;
  report({
    name: "machine",
    figures: [
      { what: "TryAcquire + Release", unit: "µs", spread: micros(decisions.tries), target: atMost(1) },
      { what: "Acquire + Release", unit: "µs", spread: micros(decisions.streams), target: atMost(1) },
      { what: "Release + grant of the head + Acquire that waits, 100 waiters", unit: "µs", spread: micros(waiters.few) },
      { what: "100,000 waiters to 100", unit: "×", spread: ratioOf(waiters.many, waiters.few), target: atMost(1.3) },
      { what: "100,000 leases to 100", unit: "×", spread: ratioOf(leases.many, leases.few), target: atMost(1.3) },
      { what: "a hot key of 100,000 held, to 1 key", unit: "×", spread: ratioOf(heldKeys.hot, heldKeys.one), target: atMost(1.3) },
      { what: "random keys of 100,000 held, to 1 key", unit: "×", spread: ratioOf(heldKeys.random, heldKeys.one), target: atMost(3) },
      { what: "a hot key of 100,000 idle, to 1 key", unit: "×", spread: ratioOf(idleKeys.hot, idleKeys.one), target: atMost(1.3) },
      { what: "random keys of 100,000 idle, to 1 key", unit: "×", spread: ratioOf(idleKeys.random, idleKeys.one), target: atMost(3) },
      { what: "a bare Map: random keys of 100,000 to 1 key", unit: "×", spread: ratioOf(map.random, map.one) },
      { what: "survey of 100,000 waiters, up to 4 a second", unit: "ms", spread: spreadOf(surveys.many) },
    ],
    notes: [`${SHARE} operations a round, the sides of a ratio in turns in one process; CPU time of the one thread.`],
  });
}

await run();
