/** Clients that abuse their sessions, and what others feel of it: those go on as in peace, and the memory is bounded. */

import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { BYSTANDER_LIMITER } from "./support/bystander.ts";
import { openRecord } from "./support/record.ts";
import type { Abuse } from "./support/session-abuser.ts";
import { type Subject, startSubject } from "./support/subject.ts";
import { inTier } from "./support/tier.ts";

const record = openRecord("session-neighbours");
/** The state in the middle of so many counts: a stall of the machine is in one of them. */
const ROUNDS = inTier({ C: 3, N: 25 });
/** Pairs of calls in a second of other clients: they begin by a schedule, whatever has become of earlier ones. */
const RATE = 400;
/** s. */
const DURATION = 2.5;
const MOST_TIMES = 2;
/** ms by which it may be more in any case: as long as a core is another's now and then. */
const NOISE = 2;
/** ms that half of the pairs may wait beside a flooder: some turns, in each of which 256 of its commands are decided. */
const SOME_TURNS = 15;
/** Bytes of a session's answers, commands and buffers, far below what is sent in a second. */
const MOST_MEMORY = 32 << 20;

const YAML = `
limiters:
  - ${BYSTANDER_LIMITER}
  - { name: flooded, max_rps: 10000000, burst_size: 1000000 }
logging: { level: error }`;

const ABUSER = fileURLToPath(new URL("support/session-abuser.ts", import.meta.url));
const LOAD = fileURLToPath(new URL("../../bench/load.ts", import.meta.url));

interface Sight {
  /** ms. */
  readonly p50: number;
  readonly p99: number;
}

/** What other clients see of the server, for a while. */
async function look({ server }: Subject): Promise<Sight> {
  const how = { address: server.address, limiter: "bystander", clients: 4, rate: RATE, duration: DURATION };
  const options = Object.entries({ ...how, arrivals: "random", "warm-up": 0.5 });
  const args = [LOAD, ...options.flatMap(([name, value]) => [`--${name}`, String(value)])];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { failed, refused, behind, latencyMicros } = JSON.parse(stdout);
  expect({ failed, refused, behind }).toEqual({ failed: 0, refused: 0, behind: 0 });
  return { p50: latencyMicros.p50 / 1_000, p99: latencyMicros.p99 / 1_000 };
}

async function startAbuser({ server }: Subject, abuse: Abuse): Promise<Disposable> {
  const child = fork(ABUSER, [server.address, abuse], { execArgv: [] });
  await once(child, "message");
  return {
    [Symbol.dispose]() {
      expect(child.exitCode, "the abuser has its session to the end").toBe(null);
      child.kill("SIGKILL");
    },
  };
}

/** Looks while another client does this, and at what memory it costs. */
async function lookBeside(subject: Subject, abuse: Abuse): Promise<Sight & { readonly heap: number }> {
  const before = await subject.memory();
  using _ = await startAbuser(subject, abuse);
  const sight = await look(subject);
  const after = await subject.memory();
  return { ...sight, heap: after.heap - before.heap };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

test(`beside a session that never reads others' p99 is at most ${MOST_TIMES} times that of peace; one that floods costs them some turns`, {
  timeout: ROUNDS * 30_000 + 30_000,
}, async () => {
  await using subject = await startSubject(YAML);
  // What is made once is made before the first look.
  await look(subject);
  await lookBeside(subject, "flooder");
  const calm: Sight[] = [];
  const beside = { flooder: [] as (Sight & { heap: number })[], "non-reader": [] as (Sight & { heap: number })[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    calm.push(await look(subject));
    for (const abuse of ["flooder", "non-reader"] as const) beside[abuse].push(await lookBeside(subject, abuse));
  }
  const peace = middle(calm.map(({ p99 }) => p99));
  record({ figure: "in peace: p50 of a pair of calls", value: middle(calm.map(({ p50 }) => p50)), unit: "ms" });
  record({ figure: "in peace: p99 of a pair of calls", value: peace, unit: "ms" });
  for (const [abuse, sights] of Object.entries(beside)) {
    const p99 = middle(sights.map((sight) => sight.p99));
    const times = middle(sights.map((sight, round) => sight.p99 / (calm[round]?.p99 ?? 1)));
    const heap = Math.max(...sights.map((sight) => sight.heap));
    record({ figure: `beside a ${abuse}: p50`, value: middle(sights.map(({ p50 }) => p50)), unit: "ms" });
    record({ figure: `beside a ${abuse}: p99`, value: p99, unit: "ms" });
    record({ figure: `beside a ${abuse}: p99, times that in peace`, value: times, unit: "times" });
    record({ figure: `beside a ${abuse}: heap of the server`, value: heap / 2 ** 20, unit: "MB more" });
    if (abuse === "non-reader") {
      expect
        .soft(Math.min(times / MOST_TIMES, p99 / (peace + NOISE)), `${abuse}: ${p99} ms, ${peace} ms in peace`)
        .toBeLessThan(1);
    } else {
      // Its p99 is recorded and not held to a bound: the server's core is busy to the end, and the garbage of a flood is collected in it.
      expect.soft(middle(sights.map(({ p50 }) => p50)), abuse).toBeLessThan(SOME_TURNS);
    }
    expect.soft(heap, abuse).toBeLessThan(MOST_MEMORY);
  }
  expect({ alive: subject.isAlive(), faults: subject.faults }).toEqual({ alive: true, faults: [] });
});
