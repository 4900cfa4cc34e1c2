/** The load on a board: cards that are added, pulled and finished, so many in flight, over a few connections. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AddCardRequestSchema,
  BoardService,
  FinishCardRequestSchema,
  TryPullCardRequestSchema,
  TryPullCardResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { createIds } from "../../src/server/ids.ts";
import { pathOf } from "../../test/support/grpc-client.ts";
import { answerOf, connectLoad as connectTo, type LoadConnection } from "../load/connection.ts";

const { addCard, tryPullCard, finishCard } = BoardService.method;
const [ADD, TRY_PULL, FINISH] = [pathOf(addCard), pathOf(tryPullCard), pathOf(finishCard)];

export const BOARD = "bench";
export const STAGES = "stages: [{ name: In }, { name: Work }, { name: Out }]";

const CONNECTIONS = 4;
const IN_FLIGHT = 32;

const ids = createIds();

export interface Load extends Disposable {
  /** Takes so many cards from the first stage to the last: three calls each. */
  passThrough(count: number): Promise<void>;
}

export async function connectLoad(address: string): Promise<Load> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectTo(address)));

  function inFlight(count: number, one: (connection: LoadConnection, done: () => void) => void): Promise<void> {
    let begun = 0;
    let done = 0;
    return new Promise((resolve) => {
      const next = (connection: LoadConnection) => {
        if (begun === count) return;
        begun += 1;
        one(connection, () => {
          done += 1;
          if (done === count) resolve();
          else next(connection);
        });
      };
      for (let i = 0; i < IN_FLIGHT; i++) next(connections[i % CONNECTIONS] as LoadConnection);
    });
  }

  return {
    passThrough: (count) => inFlight(count, passThrough),
    [Symbol.dispose]() {
      for (const connection of connections) connection.close();
    },
  };
}

function passThrough(connection: LoadConnection, done: () => void): void {
  const cardId = ids.next();
  add(connection, cardId, () => {
    const pull = create(TryPullCardRequestSchema, { board: BOARD, stage: "Work", worker: "bench-worker-1", cardId });
    connection.call(TRY_PULL, toBinary(TryPullCardRequestSchema, pull), (bytes) => {
      const { result } = fromBinary(TryPullCardResponseSchema, answerOf(bytes));
      if (result.case !== "pulled") throw new Error("TryPullCard was refused");
      const fencingToken = result.value.card?.lease?.fencingToken;
      const finish = create(FinishCardRequestSchema, { board: BOARD, cardId, fencingToken });
      connection.call(FINISH, toBinary(FinishCardRequestSchema, finish), (finished) => {
        answerOf(finished);
        done();
      });
    });
  });
}

function add(connection: LoadConnection, id: string, done: () => void): void {
  const request = create(AddCardRequestSchema, { board: BOARD, card: { id, title: "A card of the benchmark" } });
  connection.call(ADD, toBinary(AddCardRequestSchema, request), (added) => {
    answerOf(added);
    done();
  });
}
