/** A board and the work on it, as tests see them. Unless said otherwise it is the board `release`. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Board, BoardStatus, StageStatus } from "../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import {
  BoardService,
  type PullCardRequestSchema,
  type PullCardResponse,
  type PulledCard,
  type TryPullCardRequestSchema,
  type TryPullCardResponse,
} from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Card, CardLease, CardSchema } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import type { Reason } from "../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import type { CallFailure } from "./call-failure.ts";
import type { CallOptions, ContractClient } from "./contract-client.ts";

const method = BoardService.method;

export const BOARD = "release";

type Event = PullCardResponse["event"];
type EventKind = NonNullable<Event["case"]>;
type EventValue<K extends EventKind> = Extract<Event, { readonly case: K }>["value"];

/** A PullCard call, event by event. */
export interface PullCall {
  /** The next event of this kind; those of other kinds before it are dropped. Rejects if the stream ends before. */
  next<K extends EventKind>(kind: K): Promise<EventValue<K>>;
  /** Kinds of all events so far. */
  readonly kinds: readonly EventKind[];
  /** How it ended; undefined: with OK. */
  readonly ending: Promise<CallFailure | undefined>;
  cancel(): void;
}

/** A call that holds a card. */
export interface Work extends PullCall, Credential {
  readonly card: Card;
  readonly lease: CardLease;
  readonly resumed: boolean;
}

/** What the worker of a card knows. */
export interface Credential {
  readonly cardId: string;
  readonly fencingToken: bigint;
}

type PullInit = MessageInitShape<typeof PullCardRequestSchema>;
type TryPullInit = MessageInitShape<typeof TryPullCardRequestSchema>;

/** `request`: the whole of it, or the name of the stage to pull into. */
export function pull(client: ContractClient, request: PullInit | string, options?: CallOptions): PullCall {
  const stream = client.open(
    method.pullCard,
    onBoard(typeof request === "string" ? { stage: request } : request),
    options,
  );
  return {
    async next<K extends EventKind>(kind: K) {
      for (;;) {
        const { event } = await stream.next();
        if (event.case === kind) return event.value as EventValue<K>;
      }
    },
    get kinds() {
      return stream.received.flatMap(({ event }) => event.case ?? []);
    },
    ending: stream.ending,
    cancel: stream.cancel,
  };
}

/** Pulls and waits for the card. */
export function work(client: ContractClient, request: PullInit | string, options?: CallOptions): Promise<Work> {
  return pulled(pull(client, request, options));
}

/** Waits for the card of a pull. */
export async function pulled(call: PullCall): Promise<Work> {
  return Object.assign(call, heldCard(await call.next("pulled")));
}

/** Pulls and waits until it stands in the queue. */
export async function queue(client: ContractClient, request: PullInit | string): Promise<PullCall> {
  const call = pull(client, request);
  await call.next("waiting");
  return call;
}

/** Takes a card now, without a stream; throws if there is none. */
export async function take(
  client: ContractClient,
  request: TryPullInit | string,
): Promise<Credential & { readonly card: Card; readonly resumed: boolean }> {
  const { result } = await tryPull(client, request);
  if (result.case !== "pulled") throw new Error(`there is no card: ${result.value?.message}`);
  return heldCard(result.value);
}

/** Why there is no card now. */
export async function noneNow(client: ContractClient, request: TryPullInit | string): Promise<Reason> {
  const { result } = await tryPull(client, request);
  if (result.case !== "none") throw new Error(`there is ${result.value?.card?.id}`);
  return result.value.reason;
}

function tryPull(client: ContractClient, request: TryPullInit | string): Promise<TryPullCardResponse> {
  return client.call(method.tryPullCard, onBoard(typeof request === "string" ? { stage: request } : request));
}

function heldCard({ card, resumed }: PulledCard) {
  if (card === undefined) throw new Error("pulled says no card");
  const { lease } = card;
  return { card, lease: lease as CardLease, resumed, cardId: card.id, fencingToken: lease?.fencingToken ?? 0n };
}

export async function finish(client: ContractClient, { cardId, fencingToken }: Credential, result = ""): Promise<Card> {
  const answer = await client.call(method.finishCard, { board: BOARD, cardId, fencingToken, result });
  return answer.card as Card;
}

export async function giveBack(
  client: ContractClient,
  { cardId, fencingToken }: Credential,
  { reason = "", failed = false } = {},
): Promise<Card> {
  const answer = await client.call(method.giveBackCard, { board: BOARD, cardId, fencingToken, reason, failed });
  return answer.card as Card;
}

export async function sendBack(
  client: ContractClient,
  { cardId, fencingToken }: Credential,
  reason = "",
): Promise<Card> {
  const answer = await client.call(method.sendBackCard, { board: BOARD, cardId, fencingToken, reason });
  return answer.card as Card;
}

/** Adds cards in this order: their ids, or all that is to be said of them. */
export async function add(
  client: ContractClient,
  ...cards: readonly (string | MessageInitShape<typeof CardSchema>)[]
): Promise<Card[]> {
  const added: Card[] = [];
  for (const card of cards) {
    const answer = await client.call(method.addCard, {
      board: BOARD,
      card: typeof card === "string" ? { id: card } : card,
    });
    added.push(answer.card as Card);
  }
  return added;
}

export async function cardOf(client: ContractClient, cardId: string): Promise<Card> {
  return (await client.call(method.getCard, { board: BOARD, cardId })).card as Card;
}

export async function boardOf(client: ContractClient, name = BOARD): Promise<Board & { status: BoardStatus }> {
  return (await client.call(method.getBoard, { name })).board as Board & { status: BoardStatus };
}

/** What each stage has to say of itself. */
export async function stagesOf(client: ContractClient, name = BOARD): Promise<Record<string, StageStatus>> {
  const { stages } = await boardOf(client, name);
  return Object.fromEntries(stages.map((stage) => [stage.name, stage.status as StageStatus]));
}

/** Which cards stand where, in the order in which they came; stages without cards are left out. */
export async function layoutOf(client: ContractClient, board = BOARD): Promise<Record<string, readonly string[]>> {
  const { cards } = await client.call(method.listCards, { board, pageSize: 1000 });
  const layout: Record<string, string[]> = {};
  for (const { id, stage } of cards) {
    layout[stage] ??= [];
    layout[stage].push(id);
  }
  return layout;
}

function onBoard<T extends { readonly board?: string }>(request: T): T {
  return { board: BOARD, ...request };
}
