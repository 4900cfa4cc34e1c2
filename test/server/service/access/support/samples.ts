/** A request of every RPC, about things of which all have one name. A new RPC without a row does not compile. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import type { ConfigService } from "../../../../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { AdmissionService } from "../../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { BoardService } from "../../../../../src/server/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { LimiterService } from "../../../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";

/** What one tenant has. */
export interface Things {
  /** The limiter's name, and the board's. */
  readonly name: string;
  readonly card: string;
  readonly fencingToken: bigint;
  readonly lease: { readonly leaseId: string; readonly secret: string };
  readonly waiterId: string;
  readonly requestId: string;
}

type SamplesOf<S> =
  S extends GenService<infer M>
    ? { readonly [K in keyof M]: (things: Things) => MessageInitShape<M[K]["input"]> }
    : never;

const claims = ({ name }: Things) => [{ limiter: name }];
const onCard = ({ name, card, fencingToken }: Things) => ({ board: name, cardId: card, fencingToken });
const stages = [{ name: "todo" }, { name: "doing" }, { name: "done" }];

export const ADMISSION: SamplesOf<typeof AdmissionService> = {
  acquire: (things) => ({ claims: claims(things) }),
  tryAcquire: (things) => ({ claims: claims(things) }),
  renew: ({ lease }) => ({ leases: [lease] }),
  release: ({ lease }) => lease,
};

export const LIMITERS: SamplesOf<typeof LimiterService> = {
  createLimiter: ({ name }) => ({ limiter: { name, maxConcurrent: 7 } }),
  getLimiter: ({ name }) => ({ name }),
  listLimiters: () => ({}),
  updateLimiter: ({ name }) => ({ limiter: { name, maxConcurrent: 9 }, updateMask: { paths: ["max_concurrent"] } }),
  deleteLimiter: ({ name }) => ({ name, force: true }),
  watchLimiters: ({ name }) => ({ names: [name] }),
  getLimiterHistory: ({ name }) => ({ name }),
  listLeases: ({ name }) => ({ limiter: name }),
  listWaiters: ({ name }) => ({ limiter: name }),
  revokeLease: ({ lease }) => ({ leaseId: lease.leaseId, force: true }),
  cancelWaiter: ({ waiterId }) => ({ waiterId }),
};

export const BOARDS: SamplesOf<typeof BoardService> = {
  createBoard: ({ name }) => ({ board: { name, stages } }),
  getBoard: ({ name }) => ({ name, cards: true }),
  listBoards: () => ({}),
  updateBoard: ({ name }) => ({ board: { name, description: "changed" }, updateMask: { paths: ["description"] } }),
  deleteBoard: ({ name }) => ({ name, force: true }),
  watchBoard: ({ name }) => ({ name }),
  getFlow: ({ name }) => ({ name }),
  addCard: ({ name, card }) => ({ board: name, card: { id: `${card}-more` } }),
  getCard: ({ name, card }) => ({ board: name, cardId: card }),
  updateCard: ({ name, card }) => ({ board: name, card: { id: card, title: "changed" } }),
  listCards: ({ name }) => ({ board: name }),
  deleteCard: ({ name, card }) => ({ board: name, cardId: card }),
  pullCard: ({ name }) => ({ board: name, stage: "doing", worker: "thief" }),
  tryPullCard: ({ name }) => ({ board: name, stage: "doing", worker: "thief" }),
  renewCards: ({ name, card, fencingToken }) => ({ board: name, cards: [{ cardId: card, fencingToken }] }),
  finishCard: onCard,
  giveBackCard: onCard,
  sendBackCard: onCard,
  blockCard: (things) => ({ ...onCard(things), reason: "mine" }),
  unblockCard: ({ name, card }) => ({ board: name, cardId: card }),
};

export const CONFIG: SamplesOf<typeof ConfigService> = {
  getConfig: () => ({}),
  listDeclaredLimiters: () => ({}),
  listDeclaredBoards: () => ({}),
};
