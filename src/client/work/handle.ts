/** The work that users hold in their hands. */

import type { Work } from "../api/work.ts";
import type { Leak, LeakGuard } from "../hold/leak-guard.ts";
import { textOf } from "../wire/card.ts";
import type { Pulled } from "../wire/work.ts";
import type { Ending } from "./end.ts";
import { endedError, type HeldWork } from "./held-work.ts";

/** A handle for work on a card that is held; `site` is the stack of the pull. */
export function createWork(held: HeldWork, guard: LeakGuard, site: string): Work {
  const { pulled } = held;
  const leak = leakOf(held);

  function conclude(ending: Ending) {
    guard.forget(leak);
    return held.conclude(ending);
  }

  const work: Work = {
    granted: true,
    board: pulled.credential.board,
    card: pulled.card,
    fencingToken: pulled.credential.fencingToken,
    held: true,
    get signal() {
      return held.signal;
    },
    get valid() {
      return held.valid;
    },
    get end() {
      return held.end;
    },
    finish: async (result) => conclude({ kind: "finished", result: textOf(result) }),
    giveBack: async (reason = "", { failed = false } = {}) => conclude({ kind: "given-back", reason, failed }),
    sendBack: async (reason) => conclude({ kind: "sent-back", reason }),
    block: async (reason) => conclude({ kind: "blocked", reason }),
    [Symbol.asyncDispose]() {
      guard.forget(leak);
      return held.leave();
    },
  };
  // A person's card stays theirs, whatever becomes of the handle.
  if (pulled.ttl !== undefined) guard.watch(work, leak, site);
  return work;
}

function leakOf(held: HeldWork): Leak {
  const { credential, card } = held.pulled;
  return {
    message:
      `work on card ${card.id} of board ${credential.board} was collected as garbage before it was ended; hold it with ` +
      "`await using`, or call finish() or giveBack()",
    giveBack: () => void held.leave(),
  };
}

/** A handle for a card that was only moved: there is nothing to end. */
export function createMovedWork(pulled: Pulled): Work {
  const { signal } = new AbortController();
  const over = async (): Promise<never> => {
    throw endedError(pulled, "a pull into a queue moves its card and holds nothing");
  };
  return {
    granted: true,
    board: pulled.credential.board,
    card: pulled.card,
    fencingToken: 0n,
    held: false,
    signal,
    valid: false,
    end: undefined,
    finish: over,
    giveBack: over,
    sendBack: over,
    block: over,
    [Symbol.asyncDispose]: async () => {},
  };
}
