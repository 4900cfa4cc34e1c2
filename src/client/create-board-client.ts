/** One board, for clients that add cards, work on them, and read it. */

import type { BoardClient } from "./board-client.ts";
import { watchBoard } from "./board-watching.ts";
import { callSite } from "./call-site.ts";
import { createCardCalls } from "./card-calls.ts";
import type { LeakGuard } from "./leak-guard.ts";
import type { Refusal } from "./refusal.ts";
import { startWorkLoop } from "./start-work-loop.ts";
import type { WorkAdmission, WorkPorts } from "./work/held-works.ts";
import type { PullOptions, TryPullOptions, Work } from "./work.ts";
import { createMovedWork, createWork } from "./work-handle.ts";
import { pull, tryPull } from "./work-pull.ts";

export interface BoardClientOptions {
  readonly name: string;
  /** Names the worker, where a pull does not. */
  readonly worker: string | undefined;
  readonly guard: LeakGuard;
}

/** `site` is the stack of the caller, where `pull` itself would not find it. */
export interface SitedBoardClient extends BoardClient {
  pull(stage: string, options?: PullOptions, site?: string): Promise<Work>;
  tryPull(stage: string, options?: TryPullOptions, site?: string): Promise<Work | Refusal>;
}

export function createBoardClient(ports: WorkPorts, { name, worker, guard }: BoardClientOptions): SitedBoardClient {
  const named = <O extends { readonly worker?: string | undefined }>(options: O): O => ({
    ...options,
    worker: options.worker ?? worker,
  });

  function toWork(admission: WorkAdmission, site: string): Work {
    return admission.kind === "held" ? createWork(admission.work, guard, site) : createMovedWork(admission.pulled);
  }

  const board: SitedBoardClient = {
    name,
    ...createCardCalls(ports, name),
    watch: (options) => watchBoard(ports, name, options),

    async pull(stage, options = {}, site = callSite(board.pull)) {
      return toWork(await pull(ports, { board: name, stage }, named(options)), site);
    },

    async tryPull(stage, options = {}, site = callSite(board.tryPull)) {
      const attempt = await tryPull(ports, { board: name, stage }, named(options));
      return attempt.kind === "refused" ? attempt.refusal : toWork(attempt, site);
    },

    work: (stage, handler, options = {}) =>
      startWorkLoop(ports, { pull: (pullOptions) => board.pull(stage, pullOptions), handler, options }),
  };
  return board;
}
