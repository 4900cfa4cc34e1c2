/** The cards of a board, over the service's calls: what is said of them without holding one. */

import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { BoardClient, EndOptions } from "../api/board-client.ts";
import { askNow } from "../hold/retry-now.ts";
import type { BoardPorts } from "../rpc/ports.ts";
import { createUnaryCalls } from "../rpc/unary-calls.ts";
import { boardFromWire, flowSampleFromWire } from "../wire/board.ts";
import { cardChangesToWire, cardFromWire, cardStateToWire, contentToWire, textOf } from "../wire/card.ts";
import { type Ending, sendEnding } from "../work/end.ts";

export type CardCalls = Omit<BoardClient, "name" | "watch" | "pull" | "tryPull" | "work">;

/** Characters of an id that the client makes: 64 random bits, which no board has twice. */
const ID_LENGTH = 16;

export function createCardCalls(ports: BoardPorts, board: string): CardCalls {
  const { calls } = ports;
  const { board: rpc } = calls;
  const { call, pages } = createUnaryCalls(ports);

  function end(cardId: string, ending: Ending, options: EndOptions = {}) {
    const credential = { board, cardId, fencingToken: options.fencingToken ?? 0n };
    return call(options, (rpcOptions) => sendEnding(calls, { credential, ending }, rpcOptions));
  }

  return {
    add({ id, ...content }, options = {}) {
      const fields = contentToWire(content);
      // With an id of its own a card that is added again is the same card.
      return askNow(ports, options, async ({ requestId, within }) => {
        const card = { ...fields, id: id ?? requestId.slice(0, ID_LENGTH) };
        const added = await calls.unary((rpcOptions) => rpc.addCard({ board, card }, rpcOptions), { within });
        return cardFromWire(added.card);
      });
    },

    async get(cardId, options) {
      return cardFromWire((await call(options, (rpcOptions) => rpc.getCard({ board, cardId }, rpcOptions))).card);
    },

    list: (options) =>
      pages(options, async (page, rpcOptions) => {
        const states = options?.states?.map(cardStateToWire) ?? [];
        const request = { ...page, board, stage: options?.stage, states };
        const { cards, nextPageToken } = await rpc.listCards(request, rpcOptions);
        return { items: cards.map(cardFromWire), nextPageToken };
      }),

    async update(cardId, changes, options) {
      const { card, paths } = cardChangesToWire(changes);
      const request = { board, card: { ...card, id: cardId, etag: options?.etag }, updateMask: { paths } };
      return cardFromWire((await call(options, (rpcOptions) => rpc.updateCard(request, rpcOptions))).card);
    },

    async remove(cardId, options) {
      await call(options, (rpcOptions) => rpc.deleteCard({ board, cardId, etag: options?.etag }, rpcOptions));
    },

    block: (cardId, reason = "", options) => end(cardId, { kind: "blocked", reason }, options),

    async unblock(cardId, options) {
      return cardFromWire((await call(options, (rpcOptions) => rpc.unblockCard({ board, cardId }, rpcOptions))).card);
    },

    async snapshot(options) {
      const request = { name: board, cards: true };
      const answer = await call(options, (rpcOptions) => rpc.getBoard(request, rpcOptions));
      return { board: boardFromWire(answer.board), cards: answer.cards.map(cardFromWire) };
    },

    async flow(from, options) {
      const request = { name: board, fromTime: from && timestampFromDate(from) };
      const { stages, samples } = await call(options, (rpcOptions) => rpc.getFlow(request, rpcOptions));
      return { stages, samples: samples.map(flowSampleFromWire) };
    },

    finish: async (cardId, options) => end(cardId, { kind: "finished", result: textOf(options?.result) }, options),

    giveBack: (cardId, { reason = "", failed = false, ...options } = {}) =>
      end(cardId, { kind: "given-back", reason, failed }, options),

    sendBack: (cardId, { reason = "", ...options } = {}) => end(cardId, { kind: "sent-back", reason }, options),
  };
}
