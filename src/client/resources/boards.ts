/** The boards of the service, over its calls. */

import type { Boards } from "../api/boards.ts";
import type { BoardPorts } from "../rpc/ports.ts";
import { createUnaryCalls } from "../rpc/unary-calls.ts";
import { boardChangesToWire, boardConfigToWire, boardFromWire } from "../wire/board.ts";

export function createBoards(ports: BoardPorts): Boards {
  const { board: rpc } = ports.calls;
  const { call, pages } = createUnaryCalls(ports);
  return {
    list: (options) =>
      pages(options, async (page, rpcOptions) => {
        const { boards, nextPageToken } = await rpc.listBoards(page, rpcOptions);
        return { items: boards.map(boardFromWire), nextPageToken };
      }),

    async get(name, options) {
      return boardFromWire((await call(options, (rpcOptions) => rpc.getBoard({ name }, rpcOptions))).board);
    },

    async create(config, options) {
      const request = { board: boardConfigToWire(config) };
      return boardFromWire((await call(options, (rpcOptions) => rpc.createBoard(request, rpcOptions))).board);
    },

    async update(name, changes, options) {
      const { board, paths } = boardChangesToWire(changes);
      const request = { board: { ...board, name, etag: options?.etag }, updateMask: { paths } };
      return boardFromWire((await call(options, (rpcOptions) => rpc.updateBoard(request, rpcOptions))).board);
    },

    async delete(name, options) {
      const request = { name, etag: options?.etag, force: options?.force };
      const { deletedCards } = await call(options, (rpcOptions) => rpc.deleteBoard(request, rpcOptions));
      return { deletedCards };
    },
  };
}
