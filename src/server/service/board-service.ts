/** BoardService: how boards are made, and how work is pulled through them. */

import { create } from "@bufbuild/protobuf";
import type { Caller } from "../access/caller.ts";
import { EVERYTHING, type Rights } from "../access/rights.ts";
import type { Clock } from "../clock.ts";
import type { BoardAnswerTo, BoardAsk, BoardEngine } from "../engine/board-engine.ts";
import type { Board as WireBoard } from "../gen/ggen/backpressure/v1/board_pb.ts";
import {
  AddCardResponseSchema,
  BlockCardResponseSchema,
  BoardService,
  CreateBoardResponseSchema,
  DeleteBoardResponseSchema,
  DeleteCardResponseSchema,
  FinishCardResponseSchema,
  GetBoardResponseSchema,
  GetCardResponseSchema,
  GetFlowResponseSchema,
  GiveBackCardResponseSchema,
  ListBoardsResponseSchema,
  ListCardsResponseSchema,
  RenewCardsResponseSchema,
  SendBackCardResponseSchema,
  UnblockCardResponseSchema,
  UpdateBoardResponseSchema,
  UpdateCardResponseSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Card as WireCard } from "../gen/ggen/backpressure/v1/card_pb.ts";
import type { Ids } from "../ids.ts";
import type { PullCard } from "../machine/board/command.ts";
import type { ShownPull } from "../machine/board/show.ts";
import type { BoardView, CardView } from "../machine/board/view.ts";
import { type Refusal, refusal } from "../machine/reasons.ts";
import { applyBoardUpdate } from "../wire/board-update.ts";
import { type BoardReading, boardConfig, boardMessage, sampleMessage } from "../wire/board-wire.ts";
import { cardStateFromWire, cardToWire, contentFromWire, updateContent } from "../wire/card-wire.ts";
import { draining, invalidRequest, refusalError } from "../wire/error-wire.ts";
import { NAME, pageFromWire, pageTokenToWire } from "../wire/page-wire.ts";
import { timestampToMs } from "../wire/time-wire.ts";
import { visiblePage } from "./access/visible.ts";
import { askBoards, giveBackPull } from "./ask.ts";
import { createBoardVerbs, type TryPull } from "./board-verbs.ts";
import { watchBoard } from "./board-watching.ts";
import { byName, type CommandCallerOf } from "./command-caller.ts";
import { revisionOf } from "./etag.ts";
import { createHeartbeats } from "./heartbeats.ts";
import type { OpenCall } from "./held-call.ts";
import { createPullCalls } from "./pull-call.ts";
import { createRpcService, type Handlers, type RpcService, type UnaryCall } from "./rpc.ts";

export interface BoardServiceOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly boards: BoardEngine;
  /** µs after which a silent PullCard stream says something; asked for anew each time. */
  readonly heartbeat: () => number;
  /** What callers may do, as of now. Unset: everything. */
  readonly rightsOf?: (caller: Caller) => Rights;
  /** As of AdmissionService. */
  readonly commandCaller?: CommandCallerOf;
}

export interface BoardRpcs {
  readonly service: RpcService;
  /** Takes nothing new from here on, and tells every stream so; `endTime` (ms since 1970): until when work may go on. */
  drain(endTime: number): void;
}

const PLACE = /^[0-9]{1,2}\.[0-9]{1,16}$/;
const MAX_CARDS_WITH_BOARD = 1_000;
export function createBoardService(options: BoardServiceOptions): BoardRpcs {
  const { clock, ids, boards, heartbeat, rightsOf = () => EVERYTHING, commandCaller = byName } = options;
  const openCalls = new Set<OpenCall>();
  const verbs = createBoardVerbs(ids);
  const openPull = createPullCalls({ verbs, boards, heartbeats: createHeartbeats(clock, heartbeat) });
  let stopping = false;

  const ask = <A extends BoardAsk>(command: A) => askBoards(boards, command);

  /** The card that a command leaves; throws what it refuses. */
  async function askCard(command: Extract<BoardAsk, { cardId: string } | { kind: "add-card" }>): Promise<WireCard> {
    const outcome = (await ask(command)) as { kind: "card"; card: CardView } | Refusal;
    if (outcome.kind === "refused") throw refusalError(outcome);
    return cardToWire(outcome.card);
  }

  async function readBoard(name: string): Promise<BoardView> {
    return (await boards.board(name)) ?? throwNoBoard(name);
  }

  async function readCard(board: string, cardId: string): Promise<CardView> {
    const card = await boards.card(board, cardId);
    if (card !== undefined) return card;
    await readBoard(board);
    throw refusalError(refusal("CARD_NOT_FOUND", { at: { board, card: cardId } }));
  }

  /** Changes something as it stands, again if another call was faster, unless the caller has named what it must be. */
  async function change<T>(etag: string, attempt: () => Promise<T | Refusal>): Promise<T> {
    for (;;) {
      const outcome = await attempt();
      if (!isRefusal(outcome)) return outcome;
      if (outcome.reason !== "ETAG_MISMATCH" || etag !== "") throw refusalError(outcome);
    }
  }

  /** Pulls without waiting, on a stream that lives no longer than the answer takes. A caller that leaves before takes nothing. */
  function pullNow(command: TryPull, call: UnaryCall): Promise<ShownPull | Refusal> {
    return new Promise((settle, reject) => {
      let answered = false;
      const resolve = (outcome: ShownPull | Refusal) => {
        answered = true;
        settle(outcome);
      };
      const stream = boards.openStream((news) => {
        if (news.kind === "moved" || news.kind === "pull-waiting" || news.kind === "work-over") return;
        boards.closeStream(stream);
        // A retry has taken its place, and is answered in its stead.
        resolve(news.kind === "displaced" ? refusal(news.reason) : news);
      }, reject);
      const answer = (outcome: BoardAnswerTo<PullCard>) => {
        // Of a stage with a limiter the stream will hear.
        if (outcome.kind === "pull-waiting") return;
        boards.closeStream(stream);
        resolve(outcome);
      };
      boards.submit({ ...command, stream, monitored: true, keepOnCancel: false }, answer, reject, call.span?.context);
      if (answered) return;
      call.onGone(() => {
        if (answered) return;
        const { id, requestId, caller } = command;
        giveBackPull(boards, { kind: "abandon-pull", id, requestId, caller });
      });
    });
  }

  const handlers: Handlers<typeof BoardService> = {
    async createBoard({ board }, { caller }) {
      const { config } = valid(boardConfig(board as WireBoard));
      const outcome = await ask({ kind: "create-board", config, caller: caller.name });
      if (outcome.kind === "refused") throw refusalError(outcome);
      return create(CreateBoardResponseSchema, { board: boardMessage(outcome.board) });
    },

    async getBoard({ name, cards }) {
      const view = await readBoard(name);
      const filter = { stage: "", states: [], after: "", limit: MAX_CARDS_WITH_BOARD, order: "at-work" } as const;
      const page = cards ? await boards.cards(name, filter) : undefined;
      return create(GetBoardResponseSchema, { board: boardMessage(view), cards: page?.items.map(cardToWire) ?? [] });
    },

    async listBoards(request, { caller }) {
      const rights = rightsOf(caller);
      const { after, limit } = pageFromWire(request, NAME);
      const page = await visiblePage(
        after,
        (from) => boards.boards({ after: from, limit }),
        ({ config }) => rights.mayBoard("observe", config.name),
        ({ config }) => config.name,
      );
      return create(ListBoardsResponseSchema, {
        boards: page.items.map(boardMessage),
        nextPageToken: pageTokenToWire(page.next),
      });
    },

    async updateBoard({ board, updateMask }, { caller }) {
      const message = board as WireBoard;
      const outcome = await change(message.etag, async () => {
        const view = await readBoard(message.name);
        const { config, renamed } = valid(applyBoardUpdate(view.config, message, updateMask?.paths ?? []));
        const revision = revisionOf(message.etag) ?? view.revision;
        return ask({ kind: "update-board", config, renamed: [...renamed], revision, caller: caller.name });
      });
      return create(UpdateBoardResponseSchema, { board: boardMessage(outcome.board) });
    },

    async deleteBoard({ name, etag, force }, { caller }) {
      const by = { caller: caller.name };
      const outcome = await ask({ kind: "delete-board", name, revision: revisionOf(etag), force, ...by });
      if (outcome.kind === "refused") throw refusalError(outcome);
      return create(DeleteBoardResponseSchema, { deletedCards: outcome.cards });
    },

    watchBoard(request, stream) {
      watchBoard(boards, stream, request);
    },

    async getFlow({ name, fromTime }) {
      const view = await readBoard(name);
      const from = fromTime === undefined ? Number.NEGATIVE_INFINITY : timestampToMs(fromTime);
      const samples = (await boards.flow(name, from)) ?? [];
      return create(GetFlowResponseSchema, {
        stages: view.stages.map(({ config }) => config.name),
        samples: samples.map(sampleMessage),
      });
    },

    async addCard({ board, card }) {
      const message = card as WireCard;
      const id = message.id === "" ? ids.next() : message.id;
      const added = await askCard({ kind: "add-card", board, id, content: contentFromWire(message) });
      return create(AddCardResponseSchema, { card: added });
    },

    async getCard({ board, cardId }) {
      return create(GetCardResponseSchema, { card: cardToWire(await readCard(board, cardId)) });
    },

    async updateCard({ board, card, updateMask }) {
      const message = card as WireCard;
      const outcome = await change(message.etag, async () => {
        const view = await readCard(board, message.id);
        const content = updateContent(view, message, updateMask?.paths ?? []);
        const revision = revisionOf(message.etag) ?? view.revision;
        return ask({ kind: "update-card", board, cardId: message.id, content, revision });
      });
      return create(UpdateCardResponseSchema, { card: cardToWire(outcome.card) });
    },

    async listCards(request) {
      const { board, stage } = request;
      const states = request.states.flatMap((state) => cardStateFromWire(state) ?? []);
      const page = await boards.cards(board, { stage, states, order: "stages", ...pageFromWire(request, PLACE) });
      if (page === undefined) throw refusalError(refusal("BOARD_NOT_FOUND", { at: { board } }));
      return create(ListCardsResponseSchema, {
        cards: page.items.map(cardToWire),
        nextPageToken: pageTokenToWire(page.next),
      });
    },

    async deleteCard({ board, cardId, etag }, { caller }) {
      const by = { caller: caller.name };
      const outcome = await ask({ kind: "delete-card", board, cardId, revision: revisionOf(etag), ...by });
      if (outcome.kind === "refused") throw refusalError(outcome);
      return create(DeleteCardResponseSchema);
    },

    pullCard(request, stream) {
      const question = verbs.pull.toCommand(request, stream.timeout, commandCaller(stream.caller));
      // Work that lives may be taken up again by its worker to the end.
      if (stopping && question.kind === "pull") throw draining();
      openPull({ stream, question, openCalls });
    },

    async tryPullCard(request, call) {
      if (stopping) throw draining();
      const command = verbs.tryPull.toCommand(request, undefined, commandCaller(call.caller));
      return verbs.tryPull.toMessage(await pullNow(command, call));
    },

    async renewCards({ board, cards }, call) {
      await readBoard(board);
      const by = commandCaller(call.caller);
      const results = cards.map(async (credential) => {
        const answer = await ask(verbs.renew.toCommand(board, credential, by));
        return verbs.renew.toMessage(credential.cardId, answer);
      });
      return create(RenewCardsResponseSchema, { results: await Promise.all(results) });
    },

    async finishCard(request, call) {
      const command = verbs.finish.toCommand(request, undefined, commandCaller(call.caller));
      return create(FinishCardResponseSchema, { card: await askCard(command) });
    },

    async giveBackCard(request, call) {
      const command = verbs.giveBack.toCommand(request, undefined, commandCaller(call.caller));
      if (command.kind !== "withdraw-pull") {
        return create(GiveBackCardResponseSchema, { card: await askCard(command) });
      }
      await readBoard(request.board);
      const answer = await ask(command);
      const card = answer.kind === "card" ? cardToWire(answer.card) : undefined;
      return create(GiveBackCardResponseSchema, { card });
    },

    async sendBackCard(request, call) {
      const command = verbs.sendBack.toCommand(request, undefined, commandCaller(call.caller));
      return create(SendBackCardResponseSchema, { card: await askCard(command) });
    },

    async blockCard({ board, cardId, reason, fencingToken }, call) {
      const { caller } = commandCaller(call.caller);
      const card = await askCard({ kind: "block", board, cardId, reason, token: Number(fencingToken), caller });
      return create(BlockCardResponseSchema, { card });
    },

    async unblockCard({ board, cardId }) {
      return create(UnblockCardResponseSchema, { card: await askCard({ kind: "unblock", board, cardId }) });
    },
  };
  const { finishCard, giveBackCard, sendBackCard, renewCards } = BoardService.method;
  const givesBack = [finishCard, giveBackCard, sendBackCard, renewCards];
  const service = createRpcService(BoardService, handlers, { givesBack });

  return {
    service,
    drain(endTime) {
      stopping = true;
      for (const call of [...openCalls]) call.drain(endTime, "cancelled");
    },
  };
}

function valid(reading: BoardReading): Extract<BoardReading, { kind: "valid" }> {
  if (reading.kind === "invalid") throw invalidRequest(reading.violations);
  return reading;
}

function isRefusal(outcome: unknown): outcome is Refusal {
  return (outcome as Refusal).kind === "refused";
}

function throwNoBoard(board: string): never {
  throw refusalError(refusal("BOARD_NOT_FOUND", { at: { board } }));
}
