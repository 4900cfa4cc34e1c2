/** A case as a script: commands by short names, and all that is said to whom, in order. */

import { expect } from "vitest";
import type { BoardAnswerTo, BoardAsk, PullNews } from "../../src/server/engine/board-engine.ts";
import type { AnswerTo, Ask, EngineUnavailable, StreamNews } from "../../src/server/engine/engine.ts";
import type { PullCard } from "../../src/server/machine/board/command.ts";
import type { BoardConfig } from "../../src/server/machine/board/model.ts";
import type { Claim } from "../../src/server/machine/limiter/claim.ts";
import type { Acquire, TryAcquire } from "../../src/server/machine/limiter/command.ts";
import type { LimiterConfig } from "../../src/server/machine/limiter/limiter.ts";
import type { SessionRef } from "../../src/server/machine/session.ts";
import { boardOf, contentOf } from "../server/machine/board/boards.ts";
import { limiterOf } from "../support/limiter-config.ts";
import type { Stage } from "./stage.ts";

export const SECOND = 1_000_000;

/** What of a command says that it belongs to a session. */
interface InSession {
  readonly session: SessionRef;
  readonly stream: number;
}

type Said = AnswerTo<Ask> | BoardAnswerTo<BoardAsk> | StreamNews | PullNews;

export function claimOn(limiter = "db", about: Partial<Claim> = {}): Claim {
  return { limiter, key: "", permits: 1, tokens: 0, slots: false, ...about };
}

export function createScript(stage: Stage) {
  const { engine, boards } = stage;
  /** `subject: what`, in the order in which it was said; "moved" is not noted. */
  const said: string[] = [];
  const streams = new Map<string, number>();

  /** Only values cross the port. */
  function note(subject: string, one: Said): void {
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
    if (one.kind !== "moved") said.push(`${subject}: ${inWords(one)}`);
  }

  function lost(subject: string): (error: EngineUnavailable) => void {
    return ({ decided }) => void said.push(`${subject}: unavailable, decided: ${decided}`);
  }

  /** Submits a command; what is answered is noted and returned. */
  function ask<A extends Ask>(subject: string, command: A): Promise<AnswerTo<A>> {
    return new Promise((resolve) => {
      const answer = (one: AnswerTo<A>) => {
        note(subject, one);
        resolve(one);
      };
      engine.submit(command, answer, lost(subject));
    });
  }

  function askBoards<A extends BoardAsk>(subject: string, command: A): Promise<BoardAnswerTo<A>> {
    return new Promise((resolve) => {
      const answer = (one: BoardAnswerTo<A>) => {
        note(subject, one);
        resolve(one);
      };
      boards.submit(command, answer, lost(subject));
    });
  }

  /** A stream of a limiter's; its news are noted under what they are about. */
  function open(name: string): number {
    const stream = engine.openStream((news, about) => note(about, news), lost(`stream of ${name}`));
    streams.set(name, stream);
    return stream;
  }

  function openPull(name: string): number {
    const stream = boards.openStream((news, about) => note(about, news), lost(`stream of ${name}`));
    streams.set(name, stream);
    return stream;
  }

  return {
    ...stage,
    said,
    ask,
    askBoards,
    open,
    openPull,
    /** What was said since the last look. */
    fresh: () => said.splice(0),
    create: (about: Partial<LimiterConfig> = {}) =>
      ask("created", { kind: "create-limiter", config: limiterOf(about) }),
    update: (about: Partial<LimiterConfig>) =>
      ask("updated", { kind: "update-limiter", config: limiterOf(about), revision: undefined }),
    async openSession(name: string, { keepOnCancel = false } = {}): Promise<InSession> {
      const stream = open(name);
      const command = { kind: "open-session", sessionId: name, stream, monitored: true, keepOnCancel } as const;
      await ask(`open ${name}`, command);
      return { session: { id: name, stream }, stream };
    },
    async resumeSession(name: string) {
      const stream = open(name);
      const attached = { stream, monitored: true, keepOnCancel: false };
      const answer = await ask(`resume ${name}`, { kind: "resume-session", sessionId: name, ...attached });
      return { session: { session: { id: name, stream }, stream }, answer };
    },
    renewSession: ({ session }: InSession) => ask(`renew ${session.id}`, { kind: "renew-session", session }),
    leaveSession: ({ session }: InSession, how: "cancelled" | "lost") =>
      ask(`leave ${session.id}`, { kind: "leave-session", sessionId: session.id, stream: session.stream, how }),
    releaseIn: ({ session }: InSession, leaseId: string) =>
      ask(`release ${leaseId}`, { kind: "release", leaseId, workOutcome: "success", session }),
    async openBoardSession(name: string, { keepOnCancel = false } = {}): Promise<InSession> {
      const stream = openPull(name);
      const command = { kind: "open-session", sessionId: name, stream, monitored: true, keepOnCancel } as const;
      await askBoards(`open ${name}`, command);
      return { session: { id: name, stream }, stream };
    },
    async resumeBoardSession(name: string) {
      const stream = openPull(name);
      const attached = { stream, monitored: true, keepOnCancel: false };
      const answer = await askBoards(`resume ${name}`, { kind: "resume-session", sessionId: name, ...attached });
      return { session: { session: { id: name, stream }, stream }, answer };
    },
    renewBoardSession: ({ session }: InSession) => askBoards(`renew ${session.id}`, { kind: "renew-session", session }),
    leaveBoardSession({ session: { id, stream } }: InSession, how: "cancelled" | "lost") {
      return askBoards(`leave ${id}`, { kind: "leave-session", sessionId: id, stream, how, unheard: [] });
    },
    acquire(id: string, claims: readonly Claim[] = [claimOn()], about: Partial<Acquire> = {}) {
      const asked = { holder: id, maxWait: undefined, ttl: undefined, requestId: "", session: undefined };
      const attached = { stream: about.stream ?? open(id), monitored: true, keepOnCancel: false };
      return ask(id, { kind: "acquire", id, claims, ...asked, ...attached, ...about });
    },
    tryAcquire(
      id: string,
      claims: readonly Claim[] = [claimOn()],
      { session, ttl, requestId = "", caller, bounds }: Partial<TryAcquire> = {},
    ) {
      return ask(id, { kind: "try-acquire", id, claims, holder: id, ttl, requestId, session, caller, bounds });
    },
    release: (leaseId: string) =>
      ask(`release ${leaseId}`, { kind: "release", leaseId, workOutcome: "success", session: undefined }),
    renew: (leaseId: string) => ask(`renew ${leaseId}`, { kind: "renew", leaseId }),
    leave: (id: string, how: "cancelled" | "lost", stream = streams.get(id) as number) =>
      ask(`leave ${id}`, { kind: "leave", id, stream, how }),
    resume(leaseId: string, name = leaseId) {
      const attached = { stream: open(name), monitored: true, keepOnCancel: false };
      return ask(`resume ${leaseId}`, { kind: "resume", leaseId, ...attached });
    },
    createBoard: (about: Partial<BoardConfig>) =>
      askBoards("created", { kind: "create-board", config: boardOf(about) }),
    add: (id: string) => askBoards(`add ${id}`, { kind: "add-card", board: "b", id, content: contentOf() }),
    pull(id: string, stageName: string, about: Partial<PullCard> = {}) {
      const asked = {
        worker: id,
        maxWait: undefined,
        ttl: undefined,
        requestId: "",
        cardId: undefined,
        session: undefined,
      };
      const attached = { stream: about.stream ?? openPull(id), monitored: true, keepOnCancel: false, detached: false };
      return askBoards(id, { kind: "pull", id, board: "b", stage: stageName, ...asked, ...attached, ...about });
    },
    leavePull: (id: string, how: "cancelled" | "lost") =>
      askBoards(`leave ${id}`, { kind: "leave-pull", id, stream: streams.get(id) as number, how, unheard: false }),
    renewWork: (cardId: string, token: number) =>
      askBoards(`renew ${cardId}`, { kind: "renew-work", board: "b", cardId, token }),
    end: (kind: "finish" | "give-back" | "send-back", cardId: string, token: number, session?: SessionRef) =>
      askBoards(`${kind} ${cardId}`, { kind, board: "b", cardId, token, words: "", failed: false, session }),
    async tokenOf(cardId: string): Promise<number> {
      return (await boards.card("b", cardId))?.work?.token ?? 0;
    },
    async permitsInUse(...names: readonly string[]): Promise<readonly (number | undefined)[]> {
      const views = await Promise.all(names.map((name) => engine.limiter(name, "")));
      return views.map((view) => view?.status.permitsInUse);
    },
    async held(): Promise<readonly string[]> {
      const { items } = await engine.leases({ limiter: "", key: "", after: "", limit: 100 });
      return items.map(({ id }) => id);
    },
  };
}

function inWords(one: Said): string {
  switch (one.kind) {
    case "refused":
    case "displaced":
      return one.reason;
    case "ended":
      return one.end;
    case "granted":
      return one.resumed ? "granted again" : "granted";
    case "pulled":
      return `pulled ${one.card.id}`;
    default:
      return one.kind;
  }
}
