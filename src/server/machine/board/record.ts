/** What a board machine has to find again after a restart, as plain data. Instants are µs since 1970. */

import { keptCaller } from "../callers.ts";
import { sessionIdOf } from "../liveness.ts";
import type { Board, BoardConfig, Card, CardContent, CardState, PastWork } from "./model.ts";

export interface BoardRecords {
  readonly boards: readonly BoardRecord[];
  readonly cards: readonly CardRecord[];
}

export interface BoardRecord {
  readonly config: BoardConfig;
  readonly declaration: BoardConfig | undefined;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface CardRecord {
  readonly board: string;
  readonly id: string;
  readonly content: CardContent;
  readonly stage: string;
  readonly state: CardState;
  readonly serial: number;
  readonly work: WorkRecord | undefined;
  readonly lastWork: PastWorkRecord | undefined;
  readonly attempt: number;
  readonly reason: string;
  readonly result: string;
  readonly addedAt: number;
  readonly enteredAt: number;
  readonly entry: number;
  readonly completedAt: number | undefined;
  readonly blockedAt: number | undefined;
  readonly blockedTime: number;
}

/** `caller` undefined: as of a `WorkRecord`. */
export type PastWorkRecord = Omit<PastWork, "caller"> & { readonly caller?: string | undefined };

export interface WorkRecord {
  readonly id: string;
  readonly worker: string;
  /** Undefined: the anonymous, as in records of before this was kept. */
  readonly caller?: string | undefined;
  readonly token: number;
  readonly pulledAt: number;
  readonly ttl: number | undefined;
  readonly requestId: string;
  readonly claimed: boolean;
  /** That of its lease on the stage's limiter, where it is another than its own. */
  readonly leaseId?: string | undefined;
  readonly detached: boolean;
  /** Records of before this was kept have no such field. */
  readonly keepsOnCancel?: boolean | undefined;
  /** Records of before this was kept have no such field: their workers may have begun. */
  readonly heard?: boolean | undefined;
  /** The session that it is held in, which has no record of its own. Undefined: none, as in records of before this was kept. */
  readonly session?: string | undefined;
}

export function boardRecord({ config, declaration, revision, ...board }: Board, epoch: number): BoardRecord {
  return { config, declaration, revision, createdAt: board.createdAt + epoch, updatedAt: board.updatedAt + epoch };
}

export function cardRecord(card: Card, epoch: number): CardRecord {
  const { id, content, stage, state, serial, work, lastWork, attempt, reason, result, entry, blockedTime } = card;
  return {
    board: stage.board.config.name,
    id,
    content,
    stage: stage.config.name,
    state,
    serial,
    work: work && {
      id: work.id,
      worker: work.worker,
      caller: keptCaller(work.caller),
      token: work.token,
      pulledAt: work.pulledAt + epoch,
      ttl: work.ttl,
      requestId: work.requestId,
      claimed: work.leaseId !== undefined,
      leaseId: work.leaseId === work.id ? undefined : work.leaseId,
      detached: work.attachment.kind === "detached",
      keepsOnCancel: work.keepsOnCancel,
      heard: work.heard,
      session: sessionIdOf(work),
    },
    lastWork: lastWork && {
      ...lastWork,
      caller: keptCaller(lastWork.caller),
      pulledAt: lastWork.pulledAt + epoch,
    },
    attempt,
    reason,
    result,
    addedAt: card.addedAt + epoch,
    enteredAt: card.enteredAt + epoch,
    entry,
    completedAt: later(card.completedAt, epoch),
    blockedAt: later(card.blockedAt, epoch),
    blockedTime,
  };
}

function later(at: number | undefined, epoch: number): number | undefined {
  return at === undefined ? undefined : at + epoch;
}
