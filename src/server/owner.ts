/** The owner of what the server decides: the engines over their store, and what the configuration declares of them. */

import { createHash } from "node:crypto";
import type { AuditLog } from "./audit/audit-log.ts";
import { auditEngines } from "./audit/audited-engines.ts";
import type { Clock } from "./clock.ts";
import type { LoadedConfig } from "./config/config.ts";
import { createDeclarations } from "./declarations.ts";
import { createEmbeddedBoardEngine } from "./engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "./engine/embedded/embedded-engine.ts";
import { EngineUnavailable } from "./engine/engine.ts";
import type { Engines } from "./engine/remote/messages.ts";
import type { Log } from "./log.ts";
import type { BoardState } from "./machine/board/state.ts";
import type { State } from "./machine/limiter/state.ts";
import type { Store } from "./store/store.ts";
import { reserveTokens } from "./store/token-reserve.ts";
import type { Tracer } from "./tracing/tracer.ts";

export interface Owner {
  readonly engines: Engines;
  /** Bring the machines' states up to now, for whoever measures them and changes nothing. Throw once the owner is closed. */
  readonly look: { readonly limiters: () => State; readonly boards: () => BoardState };
  /** Takes up what another configuration says of limits, limiters and boards. */
  takeUp(config: LoadedConfig): void;
  /** Whether all that the configuration declares is taken up. What was refused may be taken up later. */
  readonly isInForce: boolean;
  /** Grants nothing from here on; what is held goes on. */
  stopGranting(): void;
  /** Whether no lease and no work is left. */
  hasNoHolders(): Promise<boolean>;
  /** Carries out no command any more; what is kept stays as it is. The store stays open. */
  close(): Promise<void>;
}

export interface OwnerOptions {
  readonly config: LoadedConfig;
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
  /** Unset: no spans are made. */
  readonly tracer?: Pick<Tracer, "add"> | undefined;
  /** Undefined: nothing is written down. */
  readonly audit: AuditLog | undefined;
}

const MICROS = 1_000;

/** Takes up what the store has found and what the configuration declares. */
export async function createOwner({ config, clock, store, log, tracer, audit }: OwnerOptions): Promise<Owner> {
  const fencingEpoch = Math.max(Math.floor(clock.wallTime(0) * MICROS), store.reserved);
  const stopReserving = await reserveTokens({ clock, store, fencingEpoch });
  const { maxWaiters, maxLimiters, maxBoards, callerBounds } = config.settings;
  const engine = createEmbeddedEngine({
    clock,
    store,
    machine: { maxWaiters, maxLimiters, fencingEpoch, callerBounds },
    keepsHistory: true,
    tracer,
    onLearned: (state) => sayLearned(state, log),
  });
  const boards = createEmbeddedBoardEngine({ clock, store, limiters: engine, maxBoards, callerBounds, tracer });
  store.forgetFound();
  const declarations = createDeclarations({ engine, boards, log });
  declarations.takeUpAtStart(config);

  return {
    engines: audit === undefined ? { limiters: engine, boards } : auditEngines({ limiters: engine, boards }, audit),
    look: { limiters: engine.look, boards: boards.look },
    takeUp(next) {
      audit?.note({ event: "reload", file: next.origin.path ?? "", sha256: digestOf(next.text) });
      engine.setMaxWaiters(next.settings.maxWaiters);
      engine.setMaxLimiters(next.settings.maxLimiters);
      boards.setMaxBoards(next.settings.maxBoards);
      engine.setCallerBounds(next.settings.callerBounds);
      boards.setCallerBounds(next.settings.callerBounds);
      declarations.takeUp(next);
    },
    get isInForce() {
      return declarations.isInForce;
    },
    stopGranting: () => engine.stopGranting(),
    async hasNoHolders() {
      try {
        const { items } = await engine.leases({ limiter: "", key: "", after: "", limit: 1 });
        return items.length === 0 && (await boards.working()) === 0;
      } catch (error) {
        // The server was ended at once (`stopNow`) meanwhile.
        if (error instanceof EngineUnavailable) return true;
        throw error;
      }
    },
    async close() {
      stopReserving();
      await boards.close();
      await engine.close();
    },
  };
}

/** One line, however many limiters there are. */
function sayLearned({ leases, waiters }: State, log: Log): void {
  log.info(
    { event: "learned", leases: leases.size, waiters: waiters.size },
    "every lease from before the restart has been resumed or has ended: new leases are granted",
  );
}

/** Which of the file's versions it was. */
function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
