/** One board, for clients that add cards, work on them, and read it. */

import type { BoardClient } from "../api/board-client.ts";
import type { Refusal } from "../api/refusal.ts";
import type { PullOptions, TryPullOptions, Work } from "../api/work.ts";
import { callSite } from "../hold/call-site.ts";
import type { LeakGuard } from "../hold/leak-guard.ts";
import { createMovedWork, createWork } from "../work/handle.ts";
import type { WorkAdmission, WorkPorts } from "../work/held-works.ts";
import { startWorkLoop } from "../work/loop.ts";
import { pull, tryPull } from "../work/pull.ts";
import { createCardCalls } from "./cards.ts";
import { watchBoard } from "./watch-board.ts";

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
