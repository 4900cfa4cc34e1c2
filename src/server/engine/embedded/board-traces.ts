/** Follows sampled pulls through the boards' machine, as `limiter-traces.ts` does with requests. */

import type { BoardChange, BoardCommand, BoardEvent, BoardOutcome } from "../../machine/board/command.ts";
import type { Card } from "../../machine/board/model.ts";
import type { BoardState } from "../../machine/board/state.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { Tracer } from "../../tracing/tracer.ts";
import { WORDS } from "../../tracing/words.ts";
import { createOpenTraces, LEFT, refusedAttributes } from "./open-traces.ts";

export interface BoardTraces {
  readonly isFollowing: boolean;
  ask(command: BoardCommand, trace: TraceContext, now: number): void;
  decided(command: BoardCommand, step: Decided, now: number): void;
  close(now: number): void;
}

interface Decided {
  readonly outcome: BoardOutcome;
  readonly events: readonly BoardEvent[];
  readonly changes: readonly BoardChange[];
}

/** Commands by which a puller leaves its queue without a word to its stream, or with one that is no refusal. */
const LEAVES: ReadonlySet<BoardCommand["kind"]> = new Set([
  "leave-pull",
  "abandon-pull",
  "withdraw-pull",
  "leave-session",
]);

export function createBoardTraces(tracer: Pick<Tracer, "add">, state: Pick<BoardState, "pullers">): BoardTraces {
  const open = createOpenTraces(tracer);
  /** Those that wait, to be looked for when some may have left. */
  const pulls = new Set<string>();
  /** The work on each card that is followed. */
  const works = new Map<Card, string>();

  function granted(id: string, card: Card, workId: string | undefined, now: number): void {
    pulls.delete(id);
    open.granted(id, now, { attributes: { [WORDS.card]: card.id }, held: workId });
    if (workId !== undefined && open.isHolding(workId)) works.set(card, workId);
  }

  function refused(id: string, reason: string, now: number): void {
    pulls.delete(id);
    open.notGranted(id, now, refusedAttributes(reason));
  }

  function answered(id: string, outcome: BoardOutcome, now: number): void {
    if (outcome.kind === "pulled") granted(id, outcome.card, outcome.resumed ? undefined : outcome.work?.id, now);
    else if (outcome.kind === "refused") refused(id, outcome.reason, now);
    else if (outcome.kind === "pull-waiting" && outcome.puller.id !== id) {
      open.rename(id, outcome.puller.id);
      if (pulls.delete(id)) pulls.add(outcome.puller.id);
    }
  }

  function happened({ about, news }: BoardEvent, now: number): void {
    if (!open.isWaiting(about)) return;
    if (news.kind === "pulled") granted(about, news.card, news.work?.id, now);
    else if (news.kind === "refused") refused(about, news.reason, now);
  }

  function changed({ card }: Extract<BoardChange, { kind: "card-put" }>, now: number): void {
    const { work } = card;
    // A puller whose stream is lost hears of nothing.
    if (work !== undefined && open.isWaiting(work.id)) granted(work.id, card, work.id, now);
    const followed = works.get(card);
    if (followed === undefined || work?.id === followed) return;
    works.delete(card);
    open.ended(followed, now, card.lastWork?.end ?? "otherwise");
  }

  return {
    get isFollowing() {
      return open.size > 0;
    },
    ask(command, trace, now) {
      if (command.kind !== "pull") return;
      const attributes = { [WORDS.board]: command.board, [WORDS.stage]: command.stage };
      open.ask(command.id, { trace, waits: command.maxWait !== 0, attributes }, now);
      if (open.isWaiting(command.id)) pulls.add(command.id);
    },
    decided(command, { outcome, events, changes }, now) {
      if (command.kind === "pull") answered(command.id, outcome, now);
      for (const event of events) happened(event, now);
      for (const change of changes) if (change.kind === "card-put") changed(change, now);
      if (!LEAVES.has(command.kind)) return;
      for (const id of pulls) {
        if (state.pullers.has(id)) continue;
        pulls.delete(id);
        open.notGranted(id, now, LEFT);
      }
    },
    close: open.close,
  };
}
