/** Boards and the administration of limiters, loaded when they are first used. The bundler of a page makes a file of each. */

import { requireConcurrency, type WorkLoop } from "./api/work-loop.ts";
import { callSite } from "./hold/call-site.ts";
import { lazily, loadOnce } from "./lazily.ts";
import type { SitedBoardClient } from "./resources/board-client.ts";
import type { BoardPart, Parts } from "./resources/parts.ts";
import { linkSignals, unlessAborted } from "./rpc/linked-signal.ts";

export const LAZY_PARTS: Parts = {
  openBoards(options) {
    let part: (Omit<BoardPart, "board"> & { board(name: string): SitedBoardClient }) | undefined;
    const load = loadOnce("boards", async () => {
      const { openBoards } = await import("./resources/open-boards.ts");
      part = openBoards(options);
      return part;
    });
    return {
      boards: lazily(async () => (await load()).boards, {
        list: "many",
        get: "once",
        create: "once",
        update: "once",
        delete: "once",
      }),
      board(name) {
        let board: SitedBoardClient | undefined;
        return createLazyBoardClient(name, async () => {
          const loaded = await load();
          board ??= loaded.board(name);
          return board;
        });
      },
      lastWords: () => part?.lastWords() ?? [],
      leavePage: () => part?.leavePage(),
      abandonAll: async (reason) => part?.abandonAll(reason),
    };
  },

  openLimiters(ports) {
    const load = loadOnce("limiters", async () => (await import("./resources/limiters.ts")).createLimiters(ports));
    return lazily(load, {
      list: "many",
      get: "once",
      history: "once",
      create: "once",
      update: "once",
      delete: "once",
      pause: "once",
      resume: "once",
      watch: "many",
      leases: "many",
      waiters: "many",
      revokeLease: "once",
      cancelWaiter: "once",
    });
  },
};

export function createLazyBoardClient(name: string, load: () => Promise<SitedBoardClient>): SitedBoardClient {
  // Its first call comes soon. If this fails, that call tries again, and says why.
  load().catch(() => {});
  const board: SitedBoardClient = {
    name,
    ...lazily<Omit<SitedBoardClient, "name" | "pull" | "tryPull" | "work">>(load, {
      add: "once",
      get: "once",
      list: "many",
      update: "once",
      remove: "once",
      block: "once",
      unblock: "once",
      snapshot: "once",
      watch: "many",
      flow: "once",
      finish: "once",
      giveBack: "once",
      sendBack: "once",
    }),
    async pull(stage, options, site = callSite(board.pull)) {
      return (await load()).pull(stage, options, site);
    },
    async tryPull(stage, options, site = callSite(board.tryPull)) {
      return (await load()).tryPull(stage, options, site);
    },
    work(stage, handler, options = {}) {
      requireConcurrency(options);
      return startLoaded(load, options.signal, (board) => board.work(stage, handler, options));
    },
  };
  return board;
}

/** Starts a loop when its part is loaded, unless it is stopped, by `signal` or by `stop`, before that. */
function startLoaded(
  load: () => Promise<SitedBoardClient>,
  signal: AbortSignal | undefined,
  start: (board: SitedBoardClient) => WorkLoop,
): WorkLoop {
  const stopping = linkSignals(signal);
  let loop: WorkLoop | undefined;

  async function run(): Promise<void> {
    const board = await unlessAborted(load(), stopping.signal)
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) throw error;
      })
      .finally(stopping.unlink);
    if (board === undefined || stopping.signal.aborted) return;
    loop = start(board);
    await loop.stopped;
  }

  const stopped = run();

  function stop(options?: Parameters<WorkLoop["stop"]>[0]): Promise<void> {
    stopping.abort();
    // What is wrong with it is reported by `stopped`.
    loop?.stop(options).catch(() => {});
    return stopped;
  }

  return { stopped, stop, [Symbol.asyncDispose]: () => stop() };
}
