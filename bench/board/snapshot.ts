/** What a newcomer to a large board costs: its cards in parts, each of them one message, with everything else in between. */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  WatchBoardRequestSchema,
  type WatchBoardResponse,
  WatchBoardResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { createSystemClock } from "../../src/server/clock.ts";
import { createEmbeddedBoardEngine } from "../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../src/server/engine/embedded/embedded-engine.ts";
import { createIds } from "../../src/server/ids.ts";
import { watchBoard } from "../../src/server/service/board-watching.ts";
import type { ServerStream, StreamEnd } from "../../src/server/service/rpc.ts";
import { createMemoryStore } from "../../src/server/store/memory-store.ts";
import { boardOf, contentOf, queue } from "../../test/server/machine/board/boards.ts";
import { alwaysThere } from "../../test/support/always-there.ts";
import { callOf } from "../../test/support/call-of.ts";
import { tenure } from "../support/collect.ts";
import type { Side } from "../support/in-turns.ts";
import { threadTime } from "../support/thread-time.ts";

/** Cards in a message at most. */
export const PART = 1_000;
/** Messages of one side in one round. */
const SHARE = 100;

/** ns for a message to a new watcher of a board of so many cards; the protobuf bytes included, the socket not. */
export function snapshotParts(cards: number): Side {
  const clock = createSystemClock();
  const ports = { clock, store: createMemoryStore() };
  const boards = createEmbeddedBoardEngine({
    ...ports,
    limiters: createEmbeddedEngine({ ...ports, machine: { maxWaiters: 1 } }),
  });
  const config = boardOf({ maxCards: cards, stages: [queue("In"), queue("Out", 1)] });
  boards.submit({ kind: "create-board", config }, () => {}, alwaysThere);
  const ids = createIds();
  const content = contentOf({ title: "A card of the benchmark" });
  for (let i = 0; i < cards; i++) {
    boards.submit({ kind: "add-card", board: config.name, id: ids.next(), content }, () => {}, alwaysThere);
  }

  /** Reads the board once; resolves with the number of messages. */
  function readOnce(): Promise<number> {
    let messages = 0;
    let onWritable = () => {};
    let leave: (how: StreamEnd) => void = () => {};
    return new Promise((resolve) => {
      const stream: ServerStream<WatchBoardResponse> = {
        ...callOf({ peer: "bench" }),
        probed: true,
        send(message) {
          toBinary(WatchBoardResponseSchema, message);
          messages += 1;
          if (message.sequence < (message.event.value?.board?.status?.sequence ?? 0n)) {
            setImmediate(onWritable);
          } else {
            leave("cancelled");
            resolve(messages);
          }
          return false;
        },
        onWritable(listener) {
          onWritable = listener;
        },
        end() {},
        fail() {},
        onEnd(listener) {
          leave = listener;
        },
      };
      watchBoard(boards, stream, create(WatchBoardRequestSchema, { name: config.name }));
    });
  }

  return async () => {
    tenure();
    let messages = 0;
    const begun = threadTime();
    while (messages < SHARE) messages += await readOnce();
    return (threadTime() - begun) / messages;
  };
}
