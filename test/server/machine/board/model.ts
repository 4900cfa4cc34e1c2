/**
 * The rules of boards (design §7) in the plainest words: arrays that are searched from the start each time, nothing kept
 * beside the cards, the works on them and the pullers. What the machine says and does is held against this.
 *
 * Fencing tokens and the numbers of changes are the machine's own; the model learns the former (`learnTokens`).
 */

import type {
  BoardCommand,
  DeclareBoards,
  EndWork,
  LeaveBoardSession,
  LeavePull,
  PullCard,
  UpdateBoard,
} from "../../../../src/server/machine/board/command.ts";
import type { BoardConfig, CardContent, CardState } from "../../../../src/server/machine/board/model.ts";
import { type Called, type CallerBounds, callerOf } from "../../../../src/server/machine/callers.ts";
import type { SessionStream } from "../../../../src/server/machine/session.ts";
import {
  endInSession,
  isIn,
  type ModelAttachment,
  type ModelSession,
  newSession,
  streamOf,
} from "../model-sessions.ts";
import {
  boardSaid,
  cardSaid,
  claims,
  DETACHED,
  DONE,
  givesUpAt,
  isPresent,
  keyOf,
  type ModelBoard,
  type ModelCard,
  type ModelEvent,
  type ModelPull,
  type ModelPuller,
  type ModelStage,
  type ModelStep,
  type ModelWork,
  nameOf,
  openCards,
  placeOf,
  pulledSaid,
  refusalSaid,
  refused,
  type Said,
  STALE,
  same,
  sessionSaid,
  stageName,
  toPuller,
} from "./model-words.ts";

/** No token is this, not even itself. */
const UNKNOWN = Number.NaN;

type Missing = "NO_CARD" | "STAGE_FULL";

export class BoardModel {
  readonly boards = new Map<string, ModelBoard>();
  /** In the order of their arrival. */
  pullers: ModelPuller[] = [];
  sessions: ModelSession[] = [];
  readonly #callerBounds: CallerBounds | undefined;
  #now = 0;
  #serial = 0;
  /** By caller, and request id. */
  readonly #past = new Map<string, { board: string; stage: string; card: string; held: boolean }>();
  readonly #withdrawn = new Set<string>();
  #events: ModelEvent[] = [];
  #claims: string[] = [];

  constructor(options: { readonly callerBounds?: CallerBounds } = {}) {
    this.#callerBounds = options.callerBounds;
  }

  step(command: BoardCommand, now: number): ModelStep {
    this.#now = Math.max(this.#now, now);
    this.#events = [];
    this.#claims = [];
    this.#settleTime();
    this.#forgetSessions();
    const outcome = this.#carryOut(command);
    this.#settle();
    this.#forgetSessions();
    return { outcome, events: this.#events, claims: this.#claims };
  }

  /** When something falls due next; Infinity: never. */
  next(): number {
    const completed = [...this.boards.values()].flatMap((board) => {
      const keep = board.config.keepCompletedFor;
      return keep === undefined
        ? []
        : this.cardsIn(board, board.stages.length - 1).map((card) => card.enteredAt + keep);
    });
    return Math.min(
      ...this.works.map(({ work }) => this.endsAt(work)),
      ...this.pullers.map((puller) => givesUpAt(puller)),
      ...completed,
    );
  }

  /** When work runs out unless its worker shows itself. */
  endsAt(work: ModelWork): number {
    return endInSession(work) ?? work.expiresAt;
  }

  worksIn(session: ModelSession): { card: ModelCard; work: ModelWork }[] {
    return this.works.filter(({ work }) => isIn(session, work));
  }

  get works(): { card: ModelCard; work: ModelWork }[] {
    return this.cards.flatMap((card) => (card.work === undefined ? [] : [{ card, work: card.work }]));
  }

  get cards(): ModelCard[] {
    return [...this.boards.values()].flatMap(({ cards }) => cards);
  }

  cardsIn(board: ModelBoard, index: number): ModelCard[] {
    return board.cards.filter(({ stage }) => stage === board.stages[index]);
  }

  keptFor(card: ModelCard): ModelPuller | undefined {
    return this.pullers.find(({ kept }) => kept?.card === card || kept?.up === card);
  }

  /** Takes over the fencing tokens that the machine has given. */
  learnTokens(tokenOf: (workId: string) => number): void {
    for (const { work } of this.works) work.token = tokenOf(work.id);
  }

  #settleTime(): void {
    const due = this.pullers.filter((puller) => givesUpAt(puller) <= this.#now);
    for (const { card, work } of this.works) {
      if (this.endsAt(work) > this.#now) continue;
      if (work.heard) {
        this.#fail(card, "its worker has vanished", "otherwise");
      } else {
        card.attempt -= 1;
        this.#endWork(card, "waiting", "otherwise");
      }
      this.#tellOver(card, work, "LEASE_EXPIRED");
    }
    this.#settle();
    for (const puller of due) {
      if (!this.pullers.includes(puller)) continue;
      this.#dequeue(puller);
      this.#tellPuller(puller, refused("WAIT_TIMEOUT", placeOf(puller)));
    }
    this.#settle();
  }

  #carryOut(command: BoardCommand): Said {
    switch (command.kind) {
      case "create-board": {
        const board = this.boards.get(command.config.name);
        if (board === undefined) return this.#addBoard(command.config, undefined);
        return same(board.config, command.config)
          ? boardSaid(board)
          : refused("BOARD_EXISTS", { board: nameOf(board) });
      }
      case "update-board":
        return this.#updateBoard(command);
      case "delete-board": {
        const board = this.boards.get(command.name);
        const place = { board: command.name };
        if (board === undefined) return refused("BOARD_NOT_FOUND", place);
        if (board.declaration !== undefined) return refused("DECLARED", place);
        if (command.revision !== undefined && command.revision !== board.revision)
          return refused("ETAG_MISMATCH", place);
        if (!command.force && openCards(board) > 0) return refused("BOARD_NOT_EMPTY", place);
        const cards = board.cards.length;
        this.#removeBoard(board);
        return { kind: "board-deleted", cards };
      }
      case "declare-boards":
        return this.#declare(command);
      case "add-card": {
        const board = this.boards.get(command.board);
        const place = { board: command.board, card: command.id };
        if (board === undefined) return refused("BOARD_NOT_FOUND", place);
        const known = board.cards.find(({ id }) => id === command.id);
        if (known) return same(known.content, command.content) ? cardSaid(known) : refused("CARD_EXISTS", place);
        if (board.cards.length >= board.config.maxCards) return refused("BOARD_FULL", place);
        if (this.#room(board, 0) <= 0) return refused("STAGE_FULL", { ...place, stage: stageName(board, 0) });
        return cardSaid(this.#addCard(board, command.id, command.content));
      }
      case "update-card":
        return this.#withCard(command, (card) => {
          if (command.revision === STALE) return refused("ETAG_MISMATCH", placeOf(card));
          card.content = { ...card.content, ...command.content };
          return cardSaid(card);
        });
      case "delete-card":
        return this.#withCard(command, (card) => {
          if (command.revision === STALE) return refused("ETAG_MISMATCH", placeOf(card));
          this.#dropCard(card);
          return DONE;
        });
      case "pull":
        return this.#pull(command);
      case "resume-work":
        return this.#withCard(command, (card) => {
          if (!isOwn(card.work, command)) {
            return refused("STALE_FENCING_TOKEN", { board: command.board, card: command.cardId });
          }
          const { stream, monitored, keepOnCancel } = command;
          const by = { kind: "attached", stream, monitored, first: false } as const;
          return this.#attach(card, card.work as ModelWork, by, keepOnCancel);
        });
      case "open-session": {
        const caller = callerOf(command);
        const known = this.sessions.find(({ id }) => id === command.sessionId);
        const session = known ?? newSession(command.sessionId, caller, this.#now);
        if (known === undefined) this.sessions.push(session);
        else if (known.caller === caller) known.first = false;
        if (session.caller === caller) this.#takeUp(session, command);
        return DONE;
      }
      case "resume-session": {
        const session = this.sessions.find(({ id }) => id === command.sessionId);
        if (session?.caller !== callerOf(command)) return refused("SESSION_NOT_FOUND", undefined);
        session.first = false;
        this.#takeUp(session, command);
        return sessionSaid(this.worksIn(session));
      }
      case "renew-session": {
        const session = this.#enter(command);
        if (!isSession(session)) return session as Said;
        const ttls = this.worksIn(session).flatMap(({ work }) => work.ttl || []);
        const validFor = ttls.length === 0 ? undefined : Math.floor(Math.min(...ttls) / 2);
        return { kind: "session-renewed", validFor };
      }
      case "leave-session":
        return this.#leaveSession(command);
      case "leave-pull":
        return this.#leave(command);
      case "abandon-pull": {
        const { id, requestId } = command;
        const puller = this.pullers.find((each) => each.id === id);
        if (puller !== undefined) this.#dequeue(puller);
        const held =
          this.works.find(({ work }) => work.id === id) ??
          this.works.find(({ work }) => requestId !== "" && keyOf(work) === keyOf(command));
        if (held === undefined) return DONE;
        held.work.promises -= 1;
        if (held.work.promises > 0) return DONE;
        held.card.attempt -= 1;
        this.#takeBack(held.card, "waiting", "otherwise");
        return DONE;
      }
      case "withdraw-pull": {
        const { words } = command;
        const held = this.works.find(({ work }) => keyOf(work) === keyOf(command));
        if (held !== undefined) {
          held.card.reason = words;
          held.card.attempt -= 1;
          this.#endWork(held.card, "waiting", "give-back");
          this.#tellOver(held.card, held.work, undefined);
          return cardSaid(held.card);
        }
        const puller = this.pullers.find((each) => keyOf(each) === keyOf(command));
        if (puller !== undefined) {
          this.#dequeue(puller);
          this.#tellPuller(puller, refused("REQUEST_WITHDRAWN", placeOf(puller)));
        }
        if (!this.#past.has(keyOf(command))) this.#withdrawn.add(keyOf(command));
        return DONE;
      }
      case "hold-claim":
        return DONE;
      case "settle-claim": {
        const puller = this.pullers.find(({ id }) => id === command.id);
        if (puller?.kept === undefined) {
          if (command.refusal === undefined) this.#claims.push(`unclaim ${command.id}`);
          return DONE;
        }
        const { kept } = puller;
        this.#remove(puller);
        if (command.refusal === undefined) this.#serve(puller, kept);
        else this.#tellPuller(puller, refusalSaid(command.refusal));
        return DONE;
      }
      case "lose-claim": {
        const held = this.works.find(({ work }) => work.id === command.id);
        if (held === undefined) return DONE;
        held.card.attempt -= 1;
        held.card.reason = "the lease on the stage's limiter was taken back";
        this.#endWork(held.card, "waiting", "otherwise");
        this.#tellOver(held.card, held.work, command.reason);
        return DONE;
      }
      case "renew-work":
        return this.#withCard(command, (card) => {
          const work = card.work as ModelWork;
          if (!isOwn(work, command)) return refused("STALE_FENCING_TOKEN", placeOf(card));
          work.heard = true;
          if (work.attachment.kind === "in-session") work.attachment = { ...work.attachment, since: this.#now };
          this.#startClock(work);
          return { kind: "work-renewed", work: work.id };
        });
      case "finish":
      case "give-back":
      case "send-back": {
        const session = this.#enter(command);
        if (session !== undefined && !isSession(session)) return session;
        return this.#withCard(command, (card) => this.#conclude(card, command, session));
      }
      case "block":
        return this.#withCard(command, (card) => {
          const { work, lastWork } = card;
          if (command.token !== 0 && isOwn(lastWork, command) && lastWork?.end === "block") return cardSaid(card);
          if (card.state === "completed") return refused("CARD_STATE", placeOf(card));
          if (command.token !== 0 && !isOwn(work, command)) return refused("STALE_FENCING_TOKEN", placeOf(card));
          this.#release(card);
          card.reason = command.reason;
          if (work === undefined) {
            card.state = "blocked";
            card.blockedAt ??= this.#now;
          } else {
            this.#endWork(card, "blocked", command.token === 0 ? "otherwise" : "block");
            this.#tellOver(card, work, command.token === 0 ? "CARD_BLOCKED" : undefined);
          }
          return cardSaid(card);
        });
      case "unblock":
        return this.#withCard(command, (card) => {
          if (card.state !== "blocked") return refused("CARD_STATE", placeOf(card));
          card.attempt = 0;
          card.reason = "";
          this.#setState(card, "waiting");
          return cardSaid(card);
        });
      case "wake":
        return DONE;
    }
  }

  // Boards

  #addBoard(config: BoardConfig, declaration: BoardConfig | undefined): Said {
    const stages = config.stages.map((stage) => ({ config: stage }));
    const board = { config, declaration, revision: 1, stages, cards: [], added: 0, completed: 0 };
    this.boards.set(config.name, board);
    return boardSaid(board);
  }

  #updateBoard({ config, renamed, revision }: UpdateBoard): Said {
    const board = this.boards.get(config.name);
    if (board === undefined) return refused("BOARD_NOT_FOUND", { board: config.name });
    if (revision !== undefined && revision !== board.revision) return refused("ETAG_MISMATCH", { board: config.name });
    return this.#configure(board, config, new Map(renamed)) ?? boardSaid(board);
  }

  /** Undefined: it is done. */
  #configure(board: ModelBoard, config: BoardConfig, renamed: ReadonlyMap<string, string>): Said | undefined {
    const named = (name: string | undefined) => board.stages.find((stage) => stage.config.name === name);
    const byRename = config.stages.map(({ name }) => named(renamed.get(name)));
    const once = byRename.map((stage, index) => (byRename.indexOf(stage) === index ? stage : undefined));
    const kept = config.stages.map(({ name }, index) => {
      const own = named(name);
      return once[index] ?? (once.includes(own) ? undefined : own);
    });
    const no = (stage: ModelStage) => refused("STAGE_NOT_EMPTY", { board: config.name, stage: stage.config.name });
    const full = (stage: ModelStage) => board.cards.some((card) => card.stage === stage);
    for (const stage of board.stages) if (full(stage) && !kept.includes(stage)) return no(stage);
    for (const [index, stage] of kept.entries()) {
      if (stage === undefined || !full(stage)) continue;
      const was = board.stages.indexOf(stage);
      const earlier = kept.slice(0, index).every((other) => other === undefined || board.stages.indexOf(other) < was);
      const sameEnds =
        (was === 0) === (index === 0) && (was === board.stages.length - 1) === (index === kept.length - 1);
      if (!earlier || !sameEnds || stage.config.kind !== config.stages[index]?.kind) return no(stage);
    }
    const otherwise = kept.filter((stage, index) => {
      const next = config.stages[index];
      return stage && (stage.config.kind !== next?.kind || stage.config.limiter !== next.limiter);
    });
    board.stages = config.stages.map((stageConfig, index) => {
      const stage = kept[index] ?? { config: stageConfig };
      stage.config = stageConfig;
      return stage;
    });
    board.config = config;
    board.revision += 1;
    const own = this.pullers.filter((puller) => puller.board === board);
    for (const puller of own) {
      const index = board.stages.indexOf(puller.stage);
      if (index > 0) continue;
      this.#dequeue(puller);
      this.#tellPuller(puller, refused(index === 0 ? "FIRST_STAGE" : "STAGE_NOT_FOUND", placeOf(puller)));
    }
    const keepers = this.pullers.filter((puller) => puller.board === board && puller.kept);
    const wanted = keepers.map((puller) => puller.kept?.card as ModelCard);
    for (const puller of keepers) puller.kept = undefined;
    for (const [index, puller] of keepers.entries()) {
      const pull = this.#find(board, puller.stage, wanted[index]);
      if (otherwise.includes(puller.stage) || typeof pull === "string") this.#unclaim(puller);
      else puller.kept = pull;
    }
    return undefined;
  }

  /** Done is a rename whose new name is there, unless that stage is renamed itself; one without its old name says nothing. */
  #stillToRename(board: ModelBoard, renamed: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
    const there = board.stages.map(({ config }) => config.name);
    const isPending = (name: string, seen: readonly string[] = []): boolean => {
      const before = renamed.get(name);
      if (before === undefined || seen.includes(name) || !there.includes(before)) return false;
      if (!there.includes(name)) return true;
      const successor = [...renamed].find(([, old]) => old === name)?.[0];
      return successor !== undefined && isPending(successor, [...seen, name]);
    };
    return new Map([...renamed].filter(([name]) => isPending(name)));
  }

  #declare({ configs, renamed }: DeclareBoards): Said {
    const said = { created: [] as string[], changed: [] as string[], deleted: [] as string[], refused: [] as string[] };
    for (const config of configs) {
      const board = this.boards.get(config.name);
      if (board === undefined) {
        this.#addBoard(config, config);
        said.created.push(config.name);
      } else if (board.declaration === undefined || !same(board.declaration, config)) {
        const no = this.#configure(board, config, this.#stillToRename(board, renamed?.get(config.name)));
        if (no === undefined) board.declaration = config;
        said[no === undefined ? "changed" : "refused"].push(config.name);
      }
    }
    for (const board of [...this.boards.values()]) {
      if (board.declaration === undefined || configs.some(({ name }) => name === nameOf(board))) continue;
      board.declaration = undefined;
      const open = openCards(board) > 0;
      said[open ? "refused" : "deleted"].push(nameOf(board));
      if (!open) this.#removeBoard(board);
    }
    return { kind: "boards-declared", ...said };
  }

  #removeBoard(board: ModelBoard): void {
    for (const puller of this.pullers.filter((each) => each.board === board)) {
      this.#dequeue(puller);
      this.#tellPuller(puller, refused("BOARD_NOT_FOUND", placeOf(puller)));
    }
    for (const card of [...board.cards]) this.#dropCard(card);
    this.boards.delete(nameOf(board));
  }

  // Cards

  #withCard(command: { readonly board: string; readonly cardId: string }, act: (card: ModelCard) => Said): Said {
    const board = this.boards.get(command.board);
    if (board === undefined) return refused("BOARD_NOT_FOUND", { board: command.board });
    const card = board.cards.find(({ id }) => id === command.cardId);
    return card ? act(card) : refused("CARD_NOT_FOUND", { board: command.board, card: command.cardId });
  }

  #addCard(board: ModelBoard, id: string, content: CardContent): ModelCard {
    this.#serial += 1;
    const card: ModelCard = {
      id,
      board,
      serial: this.#serial,
      addedAt: this.#now,
      content,
      stage: board.stages[0] as ModelStage,
      state: "waiting",
      attempt: 0,
      reason: "",
      result: "",
      work: undefined,
      lastWork: undefined,
      enteredAt: this.#now,
      completedAt: undefined,
      blockedAt: undefined,
      blockedTime: 0,
    };
    board.cards.push(card);
    board.added += 1;
    return card;
  }

  #dropCard(card: ModelCard): void {
    this.#release(card);
    const { work, board } = card;
    if (work !== undefined) {
      this.#endWork(card, "waiting", "otherwise");
      this.#tellOver(card, work, "CARD_DELETED");
    }
    board.cards = board.cards.filter((other) => other !== card);
  }

  #setState(card: ModelCard, state: CardState): void {
    if (card.blockedAt !== undefined) card.blockedTime += this.#now - card.blockedAt;
    card.blockedAt = state === "blocked" ? this.#now : undefined;
    card.state = state;
  }

  #move(card: ModelCard, to: ModelStage): void {
    const { board } = card;
    board.cards = [...board.cards.filter((other) => other !== card), card];
    card.stage = to;
    card.attempt = 0;
    card.enteredAt = this.#now;
    const last = to === board.stages.at(-1);
    card.state = last ? "completed" : "waiting";
    if (!last) return;
    card.completedAt = this.#now;
    board.completed += 1;
  }

  /** The card is no longer kept for a puller. */
  #release(card: ModelCard): void {
    const keeper = this.keptFor(card);
    if (keeper !== undefined) this.#unclaim(keeper);
  }

  // Pulling

  #room(board: ModelBoard, index: number): number {
    const stage = board.stages[index] as ModelStage;
    const promised = this.pullers.filter((puller) => puller.stage === stage && puller.kept?.kind === "move").length;
    return (stage.config.wipLimit ?? Number.POSITIVE_INFINITY) - this.cardsIn(board, index).length - promised;
  }

  /** Those that are promised to no puller, the best first. */
  #free(board: ModelBoard, index: number, state: CardState): ModelCard[] {
    if (board.stages[index] === undefined) return [];
    return this.cardsIn(board, index)
      .filter((card) => card.state === state && this.keptFor(card) === undefined)
      .sort((a, b) => b.content.priority - a.content.priority || a.serial - b.serial);
  }

  #find(board: ModelBoard, stage: ModelStage, only?: ModelCard): ModelPull | Missing {
    const index = board.stages.indexOf(stage);
    const wanted = (cards: ModelCard[]) => (only === undefined ? cards[0] : cards.find((card) => card === only));
    const before = board.stages[index - 1]?.config.kind === "queue" ? "waiting" : "finished";
    const own = stage.config.kind === "work" ? wanted(this.#free(board, index, "waiting")) : undefined;
    const rework = wanted(this.#free(board, index + 1, "sent-back"));
    const next = wanted(this.#free(board, index - 1, before));
    if (own) return { kind: "own", card: own, up: undefined };
    const card = rework ?? next;
    if (this.#room(board, index) > 0) return card ? { kind: "move", card, up: undefined } : "NO_CARD";
    const up = this.#free(board, index, "sent-back")[0];
    if (next && up && this.#room(board, index - 1) <= 0) return { kind: "exchange", card: next, up };
    return only !== undefined && card === undefined ? "NO_CARD" : "STAGE_FULL";
  }

  #shift(board: ModelBoard, stage: ModelStage, { kind, card, up }: ModelPull): void {
    const before = card.stage;
    if (up) this.#move(up, before);
    if (kind !== "own") this.#move(card, board.stages.find((other) => other === stage) as ModelStage);
  }

  /** Every stage pulls what it can, and every puller that can be served is. */
  #settle(): void {
    for (const board of this.boards.values()) {
      let moved = true;
      while (moved) {
        moved = this.#pullByThemselves(board);
        for (const stage of [...board.stages].reverse()) {
          if (stage !== board.stages[0]) moved = this.#servePullers(board, stage) || moved;
        }
        if (!moved) moved = this.#forgetCompleted(board);
      }
    }
  }

  #pullByThemselves(board: ModelBoard): boolean {
    let moved = false;
    for (const stage of [...board.stages].reverse()) {
      if (stage === board.stages[0] || !stage.config.autoPull || stage.config.kind !== "queue") continue;
      for (let pull = this.#find(board, stage); typeof pull !== "string"; pull = this.#find(board, stage)) {
        this.#shift(board, stage, pull);
        moved = true;
      }
    }
    const [first] = board.stages as [ModelStage];
    for (const card of this.#free(board, 1, "sent-back")) {
      if (this.#room(board, 0) <= 0) break;
      this.#move(card, first);
      moved = true;
    }
    return moved;
  }

  #servePullers(board: ModelBoard, stage: ModelStage): boolean {
    let served = false;
    for (const puller of this.pullers.filter((each) => each.stage === stage && isPresent(each))) {
      const pull = this.#find(board, stage);
      if (typeof pull === "string") break;
      served = true;
      if (claims(stage)) {
        puller.kept = pull;
        this.#claims.push(`claim ${puller.id}`);
      } else {
        this.#remove(puller);
        this.#serve(puller, pull);
      }
    }
    return served;
  }

  #serve(puller: ModelPuller, pull: ModelPull): void {
    this.#tellPuller(puller, this.#take(puller, pull));
  }

  #take(puller: ModelPuller, pull: ModelPull): Said {
    const { id, caller, board, stage, worker, ttl, requestId, keepsOnCancel } = puller;
    this.#shift(board, stage, pull);
    const { card } = pull;
    if (stage.config.kind === "queue") {
      const past = { board: nameOf(board), stage: stage.config.name, card: card.id, held: false };
      if (requestId !== "") this.#past.set(keyOf(puller), past);
      return pulledSaid(card, undefined, false);
    }
    const attachment = this.#heldBy(puller, ttl, true);
    const claimed = claims(stage);
    const work = {
      id,
      caller,
      worker,
      ttl,
      requestId,
      claimed,
      keepsOnCancel,
      heard: true,
      promises: 1,
      token: UNKNOWN,
      attachment,
      expiresAt: 0,
    };
    card.work = work;
    card.attempt += 1;
    this.#startClock(work);
    this.#setState(card, "active");
    return pulledSaid(card, id, false);
  }

  #forgetCompleted(board: ModelBoard): boolean {
    const { keepCompleted, keepCompletedFor = Number.POSITIVE_INFINITY } = board.config;
    const kept = this.cardsIn(board, board.stages.length - 1);
    const gone = kept.filter(
      ({ enteredAt }, index) => index < kept.length - keepCompleted || enteredAt + keepCompletedFor <= this.#now,
    );
    for (const card of gone) this.#dropCard(card);
    return gone.length > 0;
  }

  // Pullers

  #pull(command: PullCard): Said {
    const session = this.#enter(command);
    if (session !== undefined && !isSession(session)) return session;
    return this.#recall(command, session) ?? this.#pullAnew(command, session);
  }

  #pullAnew(command: PullCard, session: ModelSession | undefined): Said {
    const board = this.boards.get(command.board);
    if (board === undefined) return refused("BOARD_NOT_FOUND", { board: command.board });
    const at = { board: command.board, stage: command.stage };
    const stage = board.stages.find(({ config }) => config.name === command.stage);
    if (stage === undefined) return refused("STAGE_NOT_FOUND", at);
    if (stage === board.stages[0]) return refused("FIRST_STAGE", at);
    const now = command.maxWait === 0;
    const present = this.pullers.filter((puller) => puller.stage === stage && isPresent(puller)).length;
    if (now && present > 0) return refused("WAITERS_AHEAD", at, present);
    const only = board.cards.find(({ id }) => id === command.cardId);
    if (now && command.cardId !== undefined && only === undefined) {
      return refused("CARD_NOT_FOUND", { ...at, card: command.cardId });
    }
    const pull = present === 0 ? this.#find(board, stage, now ? only : undefined) : "NO_CARD";
    const puller = toPuller(command, { board, stage, session, now: this.#now });
    if (now && typeof pull === "string") return refused(pull, at);
    const direct = typeof pull !== "string" && !claims(stage);
    const tooMany = this.#quota(command, { holds: stage.config.kind === "work", waits: !now && !direct });
    if (tooMany !== undefined) return tooMany;
    if (typeof pull !== "string" && direct) return this.#take(puller, pull);
    const size = this.pullers.filter((each) => each.stage === stage).length;
    if (typeof pull === "string" && size >= board.config.maxPullers) return refused("QUEUE_FULL", at, size);
    this.pullers.push(puller);
    if (typeof pull !== "string") {
      puller.kept = pull;
      this.#claims.push(`claim ${puller.id}`);
    }
    return { kind: "pull-waiting", puller: puller.id };
  }

  /** What one caller has may be no more than its bounds, with pullers counted as the work that they will have. */
  #quota(command: PullCard, { holds, waits }: { readonly holds: boolean; readonly waits: boolean }): Said | undefined {
    const bounds = command.bounds ?? this.#callerBounds;
    if (bounds === undefined) return undefined;
    const pullers = this.pullers.filter(({ caller }) => caller === callerOf(command)).length;
    const works = this.works.filter(({ work }) => work.caller === callerOf(command)).length;
    const isOver = (waits && pullers >= bounds.maxWaiters) || (holds && pullers + works >= bounds.maxLeases);
    return isOver ? refused("CALLER_QUOTA", undefined) : undefined;
  }

  /** What the request id has led to; undefined: it is new. */
  #recall(command: PullCard, session: ModelSession | undefined): Said | undefined {
    const { requestId, board, stage, worker, detached } = command;
    if (requestId === "") return undefined;
    const puller = this.pullers.find((each) => keyOf(each) === keyOf(command));
    if (puller !== undefined) {
      const alike =
        nameOf(puller.board) === board &&
        puller.stage.config.name === stage &&
        puller.worker === worker &&
        (puller.session !== undefined || session !== undefined || puller.detached === detached);
      return alike ? this.#takeOver(puller, command, session) : refused("REQUEST_ID_REUSED", undefined);
    }
    const held = this.works.find(({ work }) => keyOf(work) === keyOf(command));
    if (held !== undefined) {
      const { card, work } = held;
      const { kind } = work.attachment;
      const alike =
        nameOf(card.board) === board &&
        card.stage.config.name === stage &&
        work.worker === worker &&
        (kind === "in-session" || session !== undefined || (kind === "detached") === detached);
      if (!alike) return refused("REQUEST_ID_REUSED", undefined);
      // Without a ttl it ends with the stream that it has.
      const stays = session === undefined ? detached && work.ttl === 0 : isIn(session, work);
      const by = stays ? work.attachment : this.#heldBy({ ...command, session }, work.ttl, false);
      return this.#attach(card, work, by, session?.keepsOnCancel ?? command.keepOnCancel);
    }
    if (this.#withdrawn.has(keyOf(command))) return refused("REQUEST_WITHDRAWN", undefined);
    const past = this.#past.get(keyOf(command));
    if (past === undefined) return undefined;
    if (past.board !== board || past.stage !== stage) return refused("REQUEST_ID_REUSED", undefined);
    const card = this.boards.get(board)?.cards.find(({ id }) => id === past.card);
    if (past.held || card === undefined) return refused("LEASE_ENDED", { board, card: past.card });
    return pulledSaid(card, undefined, true);
  }

  #takeOver(puller: ModelPuller, command: PullCard, session: ModelSession | undefined): Said {
    // A session hears nothing of what it asks twice.
    if (puller.stream !== command.stream) {
      this.#tellPuller(puller, { kind: "displaced", reason: "WAITER_DISPLACED" });
    }
    if (command.maxWait === 0) {
      this.#dequeue(puller);
      return this.#pullAnew(command, session);
    }
    puller.stream = command.stream;
    puller.monitored = command.monitored;
    puller.session = session;
    puller.detached = command.detached;
    puller.keepsOnCancel = session?.keepsOnCancel ?? command.keepOnCancel;
    puller.now = false;
    puller.deadline = this.#now + (command.maxWait ?? Number.POSITIVE_INFINITY);
    puller.awayUntil = Number.POSITIVE_INFINITY;
    return { kind: "pull-waiting", puller: puller.id };
  }

  #leave({ id, stream, how, unheard }: LeavePull): Said {
    const puller = this.pullers.find((each) => each.id === id && each.stream === stream);
    if (puller !== undefined) {
      this.#leaveQueue(puller, how);
      return DONE;
    }
    const held = this.works.find(({ work }) => work.id === id);
    if (held?.work.attachment.kind !== "attached" || held.work.attachment.stream !== stream) {
      return refused("WAITER_NOT_FOUND", undefined);
    }
    const { card, work } = held;
    const { first } = held.work.attachment;
    work.attachment = { kind: "orphaned" };
    this.#leaveWork(card, work, { how, unheard, first });
    return DONE;
  }

  #leaveQueue(puller: ModelPuller, how: LeavePull["how"]): void {
    const ttl = puller.ttl ?? puller.board.config.ttl;
    const leaves = how === "cancelled" && !puller.keepsOnCancel;
    if (leaves || puller.requestId === "" || puller.now || ttl === 0) {
      this.#dequeue(puller);
      return;
    }
    if (puller.kept) this.#claims.push(`unclaim ${puller.id}`);
    puller.kept = undefined;
    puller.stream = undefined;
    puller.awayUntil = this.#now + ttl;
  }

  /** `first`: its grant went out over the stream that has ended. */
  #leaveWork(
    card: ModelCard,
    work: ModelWork,
    { how, unheard, first }: { readonly how: LeavePull["how"]; readonly unheard: boolean; readonly first: boolean },
  ): void {
    if (unheard) work.heard = false;
    if (work.ttl !== 0 && !(how === "cancelled" && !work.keepsOnCancel && first)) {
      this.#startClock(work);
    } else if (how === "cancelled" || !work.heard) {
      card.attempt -= 1;
      this.#endWork(card, "waiting", "otherwise");
    } else {
      this.#fail(card, "its worker has vanished", "otherwise");
    }
  }

  #dequeue(puller: ModelPuller): void {
    if (puller.kept) this.#claims.push(`unclaim ${puller.id}`);
    this.#remove(puller);
  }

  #unclaim(puller: ModelPuller): void {
    this.#claims.push(`unclaim ${puller.id}`);
    puller.kept = undefined;
    if (!puller.now) return;
    this.#remove(puller);
    this.#tellPuller(puller, refused("NO_CARD", placeOf(puller)));
  }

  #remove(puller: ModelPuller): void {
    puller.kept = undefined;
    this.pullers = this.pullers.filter((other) => other !== puller);
  }

  // Work

  #conclude(card: ModelCard, command: EndWork, session: ModelSession | undefined): Said {
    const { work, lastWork } = card;
    const isPersons = work?.caller === callerOf(command) && command.token === 0 && work.ttl === undefined;
    if (work === undefined || !(isOwn(work, command) || isPersons)) {
      const again = isOwn(lastWork, command) && lastWork?.end === command.kind;
      return again ? cardSaid(card) : refused("STALE_FENCING_TOKEN", placeOf(card));
    }
    switch (command.kind) {
      case "finish":
        card.result = command.words || card.result;
        card.reason = "";
        this.#endWork(card, "finished", "finish");
        break;
      case "send-back":
        card.reason = command.words;
        this.#endWork(card, "sent-back", "send-back");
        break;
      case "give-back":
        if (command.failed) {
          this.#fail(card, command.words, "give-back");
        } else {
          card.attempt -= 1;
          card.reason = command.words;
          this.#endWork(card, "waiting", "give-back");
        }
    }
    // The worker's own session has the answer.
    if (session === undefined || !isIn(session, work)) this.#tellOver(card, work, undefined);
    return cardSaid(card);
  }

  #fail(card: ModelCard, reason: string, end: string): void {
    const tooOften = card.attempt >= card.board.config.maxAttempts;
    card.reason = tooOften ? `blocked after ${card.attempt} attempts: ${reason}` : reason;
    this.#endWork(card, tooOften ? "blocked" : "waiting", end);
  }

  #endWork(card: ModelCard, state: CardState, end: string): void {
    const work = card.work as ModelWork;
    const past = { board: nameOf(card.board), stage: card.stage.config.name, card: card.id, held: true };
    if (work.requestId !== "") this.#past.set(keyOf(work), past);
    this.#takeBack(card, state, end);
  }

  #takeBack(card: ModelCard, state: CardState, end: string): void {
    const work = card.work as ModelWork;
    if (work.claimed) this.#claims.push(`unclaim ${work.id}`);
    card.work = undefined;
    card.lastWork = { token: work.token, end, caller: work.caller };
    this.#setState(card, state);
  }

  /** What shows the life of the worker of a pull. */
  #heldBy(
    { session, detached, stream, monitored }: Pick<ModelPuller, "session" | "detached" | "stream" | "monitored">,
    ttl: number | undefined,
    first: boolean,
  ): ModelAttachment {
    if (session === undefined) {
      return detached ? DETACHED : { kind: "attached", stream: stream as number, monitored, first };
    }
    return ttl === undefined ? DETACHED : { kind: "in-session", session, first, since: this.#now };
  }

  #attach(card: ModelCard, work: ModelWork, by: ModelAttachment, keeps: boolean): Said {
    const before = streamOf(work);
    work.attachment = by;
    work.heard = true;
    if (keeps) work.keepsOnCancel = true;
    work.promises += 1;
    if (before !== streamOf(work)) this.#tell(before, work.id, { kind: "displaced", reason: "LEASE_DISPLACED" });
    this.#startClock(work);
    return pulledSaid(card, work.id, true);
  }

  #startClock(work: ModelWork): void {
    const { ttl, attachment, keepsOnCancel } = work;
    const mustRenew = attachment.kind === "attached" && (!attachment.monitored || keepsOnCancel);
    const silent = attachment.kind !== "attached" || (mustRenew && ttl !== 0);
    work.expiresAt = ttl !== undefined && silent ? this.#now + ttl : Number.POSITIVE_INFINITY;
  }

  // Sessions

  /** The session of a command, which shows life by that. */
  #enter(command: Pick<PullCard, "session" | "caller">): ModelSession | Said | undefined {
    const ref = command.session;
    if (ref === undefined) return undefined;
    const session = this.sessions.find(({ id }) => id === ref.id);
    if (session?.caller !== callerOf(command)) return refused("SESSION_NOT_FOUND", undefined);
    if (session.stream !== ref.stream) return refused("SESSION_DISPLACED", undefined);
    session.aliveAt = this.#now;
    return session;
  }

  #takeUp(session: ModelSession, { stream, monitored, keepOnCancel }: SessionStream): void {
    if (session.stream !== undefined) {
      this.#tell(session.stream, session.id, { kind: "displaced", reason: "SESSION_DISPLACED" });
      this.#leaveQueuesOf(session, "lost");
    }
    Object.assign(session, { stream, monitored, aliveAt: this.#now });
    session.keepsOnCancel ||= keepOnCancel;
    for (const { work } of this.worksIn(session)) {
      work.heard = true;
      if (keepOnCancel) work.keepsOnCancel = true;
    }
  }

  #leaveSession({ sessionId, stream, how, unheard }: LeaveBoardSession): Said {
    const session = this.sessions.find((each) => each.id === sessionId && each.stream === stream);
    if (session === undefined) return DONE;
    this.#leaveQueuesOf(session, how);
    session.stream = undefined;
    session.aliveAt = this.#now;
    for (const { card, work } of this.worksIn(session)) {
      const { first } = work.attachment as { readonly first: boolean };
      this.#leaveWork(card, work, { how, unheard: unheard.includes(work.id), first: first && session.first });
    }
    return DONE;
  }

  #leaveQueuesOf(session: ModelSession, how: LeavePull["how"]): void {
    const present = this.pullers.filter((puller) => puller.session === session && puller.stream !== undefined);
    for (const puller of present) this.#leaveQueue(puller, how);
  }

  /** One lasts while its stream is open, or something of it is held or waits. */
  #forgetSessions(): void {
    this.sessions = this.sessions.filter(
      (session) =>
        session.stream !== undefined ||
        this.worksIn(session).length > 0 ||
        this.pullers.some((puller) => puller.session === session),
    );
  }

  #tellOver(card: ModelCard, work: ModelWork, reason: string | undefined): void {
    const said = reason === undefined ? { kind: "work-over" } : refused(reason, placeOf(card));
    this.#tell(streamOf(work), work.id, said);
  }

  #tellPuller({ stream, id }: ModelPuller, said: Said): void {
    this.#tell(stream, id, said);
  }

  #tell(to: number | undefined, about: string, said: Said): void {
    if (to !== undefined) this.#events.push({ to, about, said });
  }
}

function isSession(found: ModelSession | Said | undefined): found is ModelSession {
  return found?.kind === "session";
}

/** To any caller but its own there is no such work. */
function isOwn(
  work: { readonly token: number; readonly caller: string } | undefined,
  command: Called & { readonly token: number },
): boolean {
  return work?.token === command.token && work.caller === callerOf(command);
}
