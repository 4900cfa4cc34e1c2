/** The calls of BoardService that a session carries. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  FinishCardRequestSchema,
  type FinishCardResponse,
  FinishCardResponseSchema,
  GiveBackCardRequestSchema,
  type GiveBackCardResponse,
  GiveBackCardResponseSchema,
  PullCardRequestSchema,
  type PullCardResponse,
  PullCardResponseSchema,
  type PulledCard,
  PulledCardSchema,
  type RenewCardResult,
  RenewCardResultSchema,
  type RenewCardsRequestSchema,
  type RenewCardsResponse,
  RenewCardsResponseSchema,
  SendBackCardRequestSchema,
  type SendBackCardResponse,
  SendBackCardResponseSchema,
  TryPullCardRequestSchema,
  type TryPullCardResponse,
  TryPullCardResponseSchema,
} from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Clock } from "../rpc/clock.ts";
import { ask, type Bounds } from "./ask.ts";
import { type CardMember, type CardStream, type Cards, keyOf, type Place, type WorkId, workOf } from "./cards.ts";
import type { Answer, Command, CommandTrace } from "./commands.ts";
import { reasonIn } from "./errors.ts";
import { createEventQueue, type EventQueue } from "./event-queue.ts";
import type { Session } from "./session.ts";
import { type Elsewhere, openResume, openWait } from "./virtual-stream.ts";

export interface CardCallsPorts {
  readonly clock: Clock;
  readonly session: Session;
  readonly cards: Cards;
  /** Renews cards that are not the session's. */
  readonly renewElsewhere: (
    request: MessageInitShape<typeof RenewCardsRequestSchema>,
    bounds: Bounds,
  ) => Promise<RenewCardsResponse>;
}

export interface CardCalls {
  pull(
    request: MessageInitShape<typeof PullCardRequestSchema>,
    signal: AbortSignal | undefined,
    elsewhere: Elsewhere<PullCardResponse>,
    trace?: CommandTrace,
  ): EventQueue<PullCardResponse>;
  tryPull(request: MessageInitShape<typeof TryPullCardRequestSchema>, bounds: Bounds): Promise<TryPullCardResponse>;
  finish(request: MessageInitShape<typeof FinishCardRequestSchema>, bounds: Bounds): Promise<FinishCardResponse>;
  giveBack(request: MessageInitShape<typeof GiveBackCardRequestSchema>, bounds: Bounds): Promise<GiveBackCardResponse>;
  sendBack(request: MessageInitShape<typeof SendBackCardRequestSchema>, bounds: Bounds): Promise<SendBackCardResponse>;
  renew(request: MessageInitShape<typeof RenewCardsRequestSchema>, bounds: Bounds): Promise<RenewCardsResponse>;
  /** Gives a card back that no worker in this client uses; until the server has confirmed that, the card is one of the session. */
  abandon(card: CardMember): void;
}

export function createCardCalls({ clock, session, cards, renewElsewhere }: CardCallsPorts): CardCalls {
  const ports = { session, members: cards, giveBack: abandon };

  function pull(
    init: MessageInitShape<typeof PullCardRequestSchema>,
    signal: AbortSignal | undefined,
    elsewhere: Elsewhere<PullCardResponse>,
    trace?: CommandTrace,
  ): CardStream {
    const request = create(PullCardRequestSchema, init);
    if (!session.isCarried) {
      const events = createEventQueue<PullCardResponse>();
      elsewhere(events);
      return events;
    }
    if (request.resume !== undefined) {
      const key = keyOf({ ...request.resume, board: request.board });
      return openResume(ports, { key, signal, confirm: sayResumed, otherwise: elsewhere });
    }
    const command = { case: "pull" as const, value: { ...request, keepOnCancel: false } };
    return openWait(ports, {
      command,
      signal,
      trace,
      hear: (answer, events) => hearPull(request, answer, events),
      elsewhere,
    });
  }

  function hearPull(place: Place, answer: Answer, events: CardStream): CardMember | undefined {
    switch (answer.case) {
      case "pullWaiting":
        events.push(create(PullCardResponseSchema, { event: { case: "waiting", value: answer.value } }));
        return undefined;
      case "none":
        events.push(create(PullCardResponseSchema, { event: answer }));
        events.end();
        return undefined;
      case "pulled": {
        const card = cards.adopt(place, answer.value, events);
        events.push(create(PullCardResponseSchema, { event: answer }));
        // As the server ends the stream of a card that was only moved.
        if (card === undefined) events.end();
        return card;
      }
      default:
        return undefined;
    }
  }

  function sayResumed(pulled: PulledCard, _: unknown, events: CardStream): void {
    const value = create(PulledCardSchema, { ...pulled, resumed: true });
    events.push(create(PullCardResponseSchema, { event: { case: "pulled", value } }));
  }

  async function tryPull(
    init: MessageInitShape<typeof TryPullCardRequestSchema>,
    bounds: Bounds,
  ): Promise<TryPullCardResponse> {
    const value = create(TryPullCardRequestSchema, init);
    const answer = await ask(clock, bounds, (asker) => {
      const id = session.submit(
        { case: "tryPull", value },
        {
          ...asker,
          onAnswer(said) {
            if (said.case === "pulled") cards.adopt(value, said.value, undefined);
            asker.onAnswer(said);
          },
        },
        bounds.trace,
      );
      return () => void session.forget(id);
    });
    const result = answer.case === "pulled" || answer.case === "none" ? answer : undefined;
    return create(TryPullCardResponseSchema, { result });
  }

  /** Says how work has ended, also where the caller does not wait for the answer any more. */
  function end(command: Command & { readonly value: WorkId }, bounds: Bounds): Promise<Answer> {
    return ask(clock, bounds, (asker) => {
      const onAnswer = (said: Answer) => {
        over(command.value);
        asker.onAnswer(said);
      };
      session.submit(command, { ...asker, onAnswer }, bounds.trace);
      return () => {};
    });
  }

  /** The server has confirmed the end to the worker. */
  function over(work: WorkId): void {
    const card = cards.get(keyOf(work));
    if (card === undefined) return;
    card.stream?.end();
    cards.delete(card);
  }

  function abandon({ key }: CardMember): void {
    const work = workOf(key);
    session.submit(
      { case: "giveBack", value: create(GiveBackCardRequestSchema, work) },
      {
        onAnswer: () => over(work),
        // A server that has said no does not have it.
        onFailed: (error) => reasonIn(error) !== undefined && over(work),
      },
    );
  }

  async function renew(
    { board = "", cards: credentials = [] }: MessageInitShape<typeof RenewCardsRequestSchema>,
    bounds: Bounds,
  ): Promise<RenewCardsResponse> {
    const now = clock.now().monotonic;
    const heldAs = ({ cardId = "", fencingToken = 0n }: Partial<WorkId>) =>
      cards.get(keyOf({ board, cardId, fencingToken }));
    for (const credential of credentials) {
      const card = heldAs(credential);
      if (card !== undefined) card.wantedAt = now;
    }
    if (credentials.some(heldAs)) {
      await ask(clock, bounds, (asker) => {
        session.renew(asker);
        return () => {};
      });
    }
    const results = credentials.map((credential) => renewedResult(heldAs(credential)));
    const others = credentials.filter((_, index) => results[index] === undefined);
    const elsewhere = others.length === 0 ? undefined : await renewElsewhere({ board, cards: others }, bounds);
    const otherResults = (elsewhere?.results ?? []).values();
    return create(RenewCardsResponseSchema, {
      results: results.map((result) => result ?? otherResults.next().value ?? create(RenewCardResultSchema)),
    });
  }

  return {
    pull,
    tryPull,
    async finish(init, bounds) {
      const answer = await end({ case: "finish", value: create(FinishCardRequestSchema, init) }, bounds);
      return answer.case === "finished" ? answer.value : create(FinishCardResponseSchema);
    },
    async giveBack(init, bounds) {
      const answer = await end({ case: "giveBack", value: create(GiveBackCardRequestSchema, init) }, bounds);
      return answer.case === "givenBack" ? answer.value : create(GiveBackCardResponseSchema);
    },
    async sendBack(init, bounds) {
      const answer = await end({ case: "sendBack", value: create(SendBackCardRequestSchema, init) }, bounds);
      return answer.case === "sentBack" ? answer.value : create(SendBackCardResponseSchema);
    },
    renew,
    abandon,
  };
}

/** Undefined: it does not live in the session, and whether it lives at all is for the board to say. */
function renewedResult(card: CardMember | undefined): RenewCardResult | undefined {
  const pulled = card?.grant?.card;
  if (card?.state.kind !== "living" || pulled?.lease === undefined) return undefined;
  return create(RenewCardResultSchema, { cardId: pulled.id, result: { case: "renewed", value: pulled.lease } });
}
