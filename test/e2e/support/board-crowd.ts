/** Many workers, each a process of its own, and their foreman, which deals out what they do, and counts the busy. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { onTestFinished } from "vitest";
import type { Dice } from "../../server/machine/dice.ts";
import type { Credential } from "../../support/board.ts";
import type { Fate, Order, WorkerNews } from "./board-worker.ts";

export interface CrowdOptions {
  readonly address: string;
  /** How many work in each stage. One that ends while the crowd is at work is replaced. */
  readonly workers: Readonly<Record<string, number>>;
  /** What is done with the first cards that are pulled, the last first; those after them are finished. */
  readonly fates: Fate[];
  readonly dice: Dice;
  /** Resolves once the work on a card is over, however it ended. */
  readonly untilLost: (work: Credential) => Promise<void>;
}

export interface Crowd extends AsyncDisposable {
  /** What was done, in the order in which it was concluded. */
  readonly deeds: readonly Deed[];
  /** The most that were at work at once, by stage. */
  readonly most: Readonly<Record<string, number>>;
  /** Cards on which a worker began to work while another was at it. */
  readonly doubles: readonly string[];
  /** Resolves with the deeds of this kind as soon as there are so many. */
  untilConcluded(fate: Fate, count: number): Promise<readonly Deed[]>;
  /** How many processes there were. */
  readonly started: number;
  /** Ends all workers, and resolves when the last is gone. */
  dismiss(): Promise<void>;
}

export interface Deed extends Credential {
  readonly stage: string;
  readonly fate: Fate;
  /** The reason why nothing has come of it; empty: it is done. */
  readonly refusal: string;
}

const WAVE = 10;
const SCRIPT = fileURLToPath(new URL("board-worker.ts", import.meta.url));

/** Resolves when all are ready; from then on they work. */
export async function startCrowd(options: CrowdOptions): Promise<Crowd> {
  const { address, workers, fates, dice, untilLost } = options;
  await using cleanup = new AsyncDisposableStack();
  const script = await bundle();
  cleanup.defer(() => rmSync(script.folder, { recursive: true }));

  const children = new Set<ChildProcess>();
  const deeds: Deed[] = [];
  const most: Record<string, number> = {};
  const doubles: string[] = [];
  const atWork = new Map<ChildProcess, { readonly stage: string; readonly cardId: string }>();
  const looks = new Set<() => void>();
  const begin = Promise.withResolvers<void>();
  let started = 0;
  let dismissed = false;

  async function dismiss(): Promise<void> {
    dismissed = true;
    const gone = [...children].map((child) => once(child, "exit"));
    for (const child of children) if (child.connected) child.disconnect();
    await Promise.all(gone);
  }
  const end = () => {
    dismissed = true;
    for (const child of children) child.kill("SIGKILL");
  };
  // A test that has timed out disposes of nothing.
  onTestFinished(end);
  cleanup.defer(async () => {
    end();
    await dismiss();
  });

  /** Resolves when the worker is ready. */
  function hire(stage: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    started += 1;
    const child = fork(script.path, [address, stage, `${stage}-${started}`], { execArgv: [] });
    let work: (Credential & { readonly fate: Fate }) | undefined;
    children.add(child);
    child.on("exit", (code, signal) => {
      children.delete(child);
      atWork.delete(child);
      if (signal !== "SIGKILL") reject(new Error(`worker ${stage} ended with ${code ?? signal}`));
      if (!dismissed) hire(stage).catch(begin.reject);
    });
    child.on("message", (news: WorkerNews) => {
      switch (news.kind) {
        case "ready":
          resolve();
          begin.promise.then(() => order(child, { kind: "go on" }));
          return;
        case "working":
          work = { cardId: news.cardId, fencingToken: BigInt(news.fencingToken), fate: fates.pop() ?? "finish" };
          countIn(child, { stage, cardId: news.cardId });
          order(child, { kind: "work", work: dice.roll(20), fate: work.fate });
          return;
        case "leaving":
          atWork.delete(child);
          if (work?.fate === "vanish") untilLost(work).then(() => child.kill("SIGCONT"));
          order(child, { kind: "go on" });
          return;
        case "concluded":
          if (work) deeds.push({ ...work, stage, refusal: news.refusal });
          for (const look of looks) look();
          order(child, { kind: "go on" });
          return;
      }
    });
    return promise;
  }

  function countIn(child: ChildProcess, place: { readonly stage: string; readonly cardId: string }): void {
    const others = [...atWork.values()];
    if (others.some(({ cardId }) => cardId === place.cardId)) doubles.push(place.cardId);
    atWork.set(child, place);
    const count = 1 + others.filter(({ stage }) => stage === place.stage).length;
    most[place.stage] = Math.max(most[place.stage] ?? 0, count);
  }

  const stages = Object.entries(workers).flatMap(([stage, count]) => Array.from({ length: count }, () => stage));
  // In waves: processes that start keep a machine from answering pings.
  for (let wave = 0; wave < stages.length; wave += WAVE) {
    await Promise.all(stages.slice(wave, wave + WAVE).map(hire));
  }
  begin.resolve();
  const own = cleanup.move();
  return {
    deeds,
    most,
    doubles,
    untilConcluded: (fate, count) =>
      new Promise((resolve) => {
        const look = () => {
          const found = deeds.filter((deed) => deed.fate === fate);
          if (found.length < count) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
      }),
    get started() {
      return started;
    },
    dismiss,
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

function order(child: ChildProcess, what: Order): void {
  if (child.connected) child.send(what);
}

/** The worker's script in one file, so that many processes start fast and stay small. */
async function bundle(): Promise<{ readonly folder: string; readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-workers-"));
  const path = join(folder, "worker.mjs");
  await build({
    entryPoints: [SCRIPT],
    outfile: path,
    bundle: true,
    platform: "node",
    format: "esm",
    // grpc-js is CommonJS.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "error",
  });
  return { folder, path };
}
