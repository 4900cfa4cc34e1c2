/**
 * A session service in memory that makes a call for each command, over any transport: what a session means, said in the calls that
 * its commands stand for. With the fake service beneath it, a test answers the commands of a session as it answers calls.
 */

import { create, type DescMethodUnary, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { anyPack, type Duration } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { AdmissionService, type Granted } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { LeaseEnd } from "../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { Reason } from "../../../src/client/gen/ggen/backpressure/v1/reason_pb.ts";
import {
  type SessionAnswerSchema,
  type SessionCommand,
  type SessionNoticeSchema,
  type SessionRequest,
  type SessionResponseSchema,
  SessionService,
} from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { ErrorInfoSchema } from "../../../src/client/gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../../src/client/gen/google/rpc/status_pb.ts";
import { errorOfEnd } from "../../../src/client/session/lease-end.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";

type Answer = MessageInitShape<typeof SessionAnswerSchema>["answer"];
type Notice = MessageInitShape<typeof SessionNoticeSchema>;
type Subject = Exclude<Notice["subject"], undefined>;
/** Undefined: the end. */
type News = MessageInitShape<typeof SessionResponseSchema> | { readonly error: unknown } | undefined;
type CommandOf<K> = Extract<SessionCommand["command"], { readonly case: K }>["value"];

const { acquire, tryAcquire, release, renew } = AdmissionService.method;
const { pullCard, tryPullCard, finishCard, giveBackCard, sendBackCard, renewCards } = BoardService.method;

/** What is held in one session, whether that is open or not. */
interface Held {
  readonly secrets: Map<string, string>;
  readonly cards: Map<string, { readonly board: string; readonly stage: string; readonly fencingToken: bigint }>;
}

/** Returns the transport, with sessions. */
export function withSessions(transport: Transport): Transport {
  const sessions = new Map<string, Held>();
  const bridge = createRouterTransport(({ service }) => {
    service(SessionService, {
      session: (requests, { signal }) => openBridge(transport, sessions, requests, signal),
    });
  });
  return {
    unary: transport.unary,
    stream: (...call) => (call[0].parent === (SessionService as unknown) ? bridge : transport).stream(...call),
  };
}

async function* openBridge(
  transport: Transport,
  sessions: Map<string, Held>,
  requests: AsyncIterable<SessionRequest>,
  signal: AbortSignal,
) {
  const news = createMailbox<News>();
  const ended = new AbortController();
  signal.addEventListener("abort", () => ended.abort(signal.reason));
  void serve(transport, sessions, requests, { news, ended: ended.signal });
  try {
    for (;;) {
      const next = await news.next();
      if (next === undefined) return;
      if ("error" in next) throw next.error;
      yield next;
    }
  } finally {
    ended.abort();
  }
}

interface Line {
  readonly news: Mailbox<News>;
  /** Aborts when the session's call has ended. */
  readonly ended: AbortSignal;
}

async function serve(
  transport: Transport,
  sessions: Map<string, Held>,
  requests: AsyncIterable<SessionRequest>,
  { news, ended }: Line,
): Promise<void> {
  let held: Held = { secrets: new Map(), cards: new Map() };
  const waiting = new Map<bigint, AbortController>();

  const answer = (id: bigint, said: Answer) => news.put({ answers: [{ id, answer: said }] });
  const fail = (id: bigint, status: Status) => answer(id, { case: "failed", value: status });
  const breakLine = (error: unknown) => news.put({ error });

  async function unary<M extends DescMethodUnary>(method: M, request: object): Promise<MessageShape<M["output"]>> {
    const { message } = await transport.unary(method, ended, undefined, undefined, { ...request });
    return message as MessageShape<M["output"]>;
  }

  async function once(id: bigint, asked: Promise<Answer>): Promise<void> {
    try {
      answer(id, await asked);
    } catch (error) {
      const status = statusIn(error);
      if (status === undefined) breakLine(error);
      else fail(id, status);
    }
  }

  /** Follows a stream that waits and then holds. `id`: of its command; undefined: it takes up what was held. */
  async function follow<E extends { readonly case?: string | undefined; readonly value?: unknown }>(
    id: bigint | undefined,
    signal: AbortSignal,
    open: () => Promise<{ readonly message: AsyncIterable<{ readonly event: E }> }>,
    hold: (event: E) => Subject | undefined,
    resumed = (_: boolean) => {},
  ): Promise<void> {
    let subject: Subject | undefined;
    function over(status: Status | undefined): void {
      if (subject !== undefined) {
        forget(subject);
        news.put({ notices: [{ subject, notice: { case: "ended", value: status ?? create(StatusSchema) } }] });
      } else if (id !== undefined && waiting.has(id)) {
        fail(id, status ?? create(StatusSchema, { code: Code.Unavailable, message: "it has ended the stream" }));
      }
      resumed(false);
    }
    try {
      const { message } = await open();
      for await (const { event } of message) {
        if (event.case === "granted" || event.case === "pulled") {
          subject = hold(event);
          resumed(subject !== undefined);
        }
        if (event.case === "revoking" && subject !== undefined) {
          news.put({ notices: [{ subject, notice: event as never }] });
        } else if (event.case === "draining") {
          news.put({ draining: event.value as never });
        } else if (id !== undefined && event.case !== "heartbeat") {
          answer(id, toAnswer(event));
        }
        if (id !== undefined && event.case !== "waiting") waiting.delete(id);
      }
      over(undefined);
    } catch (error) {
      if (ended.aborted || signal.aborted) return;
      const status = statusIn(error);
      if (status === undefined) breakLine(error);
      else over(status);
    }
  }

  function forget(subject: Subject): void {
    if (subject.case === "leaseId") held.secrets.delete(subject.value ?? "");
    else if (subject.case === "card") held.cards.delete(subject.value.cardId ?? "");
  }

  function holdLease({ value: granted }: { readonly value?: unknown }): Subject | undefined {
    const { lease, secret } = granted as Granted;
    if (lease === undefined || secret === "") return undefined;
    held.secrets.set(lease.id, secret);
    (granted as Granted).secret = "";
    return { case: "leaseId", value: lease.id };
  }

  function follows(id: bigint, start: (signal: AbortSignal) => void): void {
    const controller = new AbortController();
    ended.addEventListener("abort", () => controller.abort());
    waiting.set(id, controller);
    start(controller.signal);
  }

  function openAcquire(id: bigint, request: CommandOf<"acquire">): void {
    const requests = () => createAsyncIterable([{ ...request, keepOnCancel: true }]);
    follows(id, (signal) => {
      const open = () => transport.stream(acquire, signal, undefined, undefined, requests());
      void follow(id, signal, open, holdLease);
    });
  }

  function openPull(id: bigint, request: CommandOf<"pull">): void {
    const requests = () => createAsyncIterable([{ ...request, keepOnCancel: true }]);
    follows(id, (signal) => {
      const open = () => transport.stream(pullCard, signal, undefined, undefined, requests());
      void follow(id, signal, open, ({ case: kind, value }) =>
        holdCard(request, kind === "pulled" ? value.card : undefined),
      );
    });
  }

  function holdCard(
    { board, stage }: { readonly board: string; readonly stage: string },
    card:
      | {
          readonly id: string;
          readonly lease?: { readonly fencingToken: bigint; readonly ttl?: Duration | undefined } | undefined;
        }
      | undefined,
  ): Subject | undefined {
    if (card?.lease?.ttl === undefined) return undefined;
    const { fencingToken } = card.lease;
    held.cards.set(card.id, { board, stage, fencingToken });
    return { case: "card", value: { board, cardId: card.id, fencingToken } };
  }

  async function renewAll(): Promise<Answer> {
    let least: Duration | undefined;
    const good = (validFor: Duration | undefined) => {
      if (validFor !== undefined && (least === undefined || msOf(validFor) < msOf(least))) least = validFor;
    };
    const leases = [...held.secrets].map(([leaseId, secret]) => ({ leaseId, secret }));
    if (leases.length > 0) {
      const { results } = await unary(renew, { leases });
      for (const [index, { result }] of results.entries()) {
        const subject = { case: "leaseId" as const, value: leases[index]?.leaseId ?? "" };
        if (result.case === "renewed") {
          good(result.value.validFor);
          const { revoking, expireTime: endTime } = result.value;
          if (revoking) news.put({ notices: [{ subject, notice: { case: "revoking", value: { endTime } } }] });
        } else {
          forget(subject);
          const status = result.case === "ended" ? statusOfEnd(result.value) : NOT_FOUND;
          news.put({ notices: [{ subject, notice: { case: "ended", value: status } }] });
        }
      }
    }
    for (const board of new Set([...held.cards.values()].map((card) => card.board))) {
      const cards = [...held.cards].filter(([, card]) => card.board === board);
      const credentials = cards.map(([cardId, { fencingToken }]) => ({ cardId, fencingToken }));
      const { results } = await unary(renewCards, { board, cards: credentials });
      for (const [index, { result }] of results.entries()) {
        const { cardId = "", fencingToken = 0n } = credentials[index] ?? {};
        const subject = { case: "card" as const, value: { board, cardId, fencingToken } };
        if (result.case === "renewed") {
          good(result.value.validFor);
        } else {
          forget(subject);
          const { reason = 0, message = "" } = result.value ?? {};
          // As a board says of work that it does not know.
          const [name = ""] =
            Object.entries(Reason).find(([, number]) => number === (reason || Reason.STALE_FENCING_TOKEN)) ?? [];
          const status = reasonStatus(name, message);
          news.put({ notices: [{ subject, notice: { case: "ended", value: status } }] });
        }
      }
    }
    return { case: "renewed", value: { validFor: least } };
  }

  async function decide({ id, command }: SessionCommand): Promise<void> {
    switch (command.case) {
      case "acquire":
        return openAcquire(id, command.value);
      case "pull":
        return openPull(id, command.value);
      case "cancel": {
        const { commandId } = command.value;
        waiting.get(commandId)?.abort();
        if (waiting.delete(commandId)) fail(commandId, create(StatusSchema, { code: Code.Canceled }));
        return fail(id, create(StatusSchema));
      }
      case "tryAcquire":
        return once(
          id,
          unary(tryAcquire, command.value).then(({ result }) => {
            if (result.case === "granted") holdLease(result);
            return result as Answer;
          }),
        );
      case "tryPull":
        return once(
          id,
          unary(tryPullCard, command.value).then(({ result }) => {
            if (result.case === "pulled") holdCard(command.value, result.value.card);
            return result as Answer;
          }),
        );
      case "release": {
        const secret = held.secrets.get(command.value.leaseId) ?? command.value.secret;
        return once(
          id,
          unary(release, { ...command.value, secret }).then((value) => {
            held.secrets.delete(command.value.leaseId);
            return { case: "released", value };
          }),
        );
      }
      case "renew":
        return once(id, renewAll());
      case "finish":
        return once(
          id,
          unary(finishCard, command.value).then((value) => ({ case: "finished", value })),
        );
      case "giveBack":
        return once(
          id,
          unary(giveBackCard, command.value).then((value) => ({ case: "givenBack", value })),
        );
      case "sendBack":
        return once(
          id,
          unary(sendBackCard, command.value).then((value) => ({ case: "sentBack", value })),
        );
    }
  }

  /** Takes up all that was held. Rejects where the connection fails. */
  async function takeUp(): Promise<{ readonly leaseIds: string[]; readonly cards: string[] }> {
    const leases = [...held.secrets].map(([leaseId, secret]) => {
      const requests = createAsyncIterable([{ resume: { leaseId, secret }, keepOnCancel: true }]);
      const open = () => transport.stream(acquire, ended, undefined, undefined, requests);
      return new Promise<string[]>((resolve) => {
        void follow(undefined, ended, open, holdLease, (lives) => resolve(lives ? [leaseId] : []));
      });
    });
    const cards = [...held.cards].map(([cardId, { board, stage, fencingToken }]) => {
      const requests = createAsyncIterable([{ board, stage, resume: { cardId, fencingToken }, keepOnCancel: true }]);
      const open = () => transport.stream(pullCard, ended, undefined, undefined, requests);
      return new Promise<string[]>((resolve) => {
        const hold = ({ case: kind, value }: { readonly case?: string | undefined; readonly value?: unknown }) =>
          holdCard({ board, stage }, kind === "pulled" ? (value as never as { card: never }).card : undefined);
        void follow(undefined, ended, open, hold, (lives) => resolve(lives ? [cardId] : []));
      });
    });
    return { leaseIds: (await Promise.all(leases)).flat(), cards: (await Promise.all(cards)).flat() };
  }

  try {
    for await (const { open, commands } of requests) {
      if (open !== undefined) {
        const credential = open.resume ?? { sessionId: `session-${sessions.size + 1}`, secret: "secret" };
        const before = sessions.get(credential.sessionId);
        if (open.resume !== undefined && before === undefined) return breakLine(notFound());
        held = before ?? held;
        sessions.set(credential.sessionId, held);
        const { leaseIds, cards } = await takeUp();
        const lives = leaseIds.length + cards.length > 0;
        if (open.resume !== undefined && !lives) return breakLine(notFound());
        const ofCards = cards.map((cardId) => ({ cardId, ...held.cards.get(cardId) }));
        news.put({
          opened: {
            credential: { sessionId: credential.sessionId, secret: credential.secret },
            resumed: lives,
            leaseIds,
            cards: ofCards.map(({ board = "", cardId, fencingToken = 0n }) => ({ board, cardId, fencingToken })),
          },
        });
      }
      for (const command of commands) void decide(command);
    }
    news.put(undefined);
  } catch {
    // The client has gone.
  }
}

function toAnswer(event: { readonly case?: string | undefined; readonly value?: unknown }): Answer {
  const isOfPull = event.case === "waiting" && "pullersAhead" in (event.value as object);
  return (isOfPull ? { case: "pullWaiting", value: event.value } : event) as Answer;
}

/** Undefined: the error is the connection's. */
function statusIn(error: unknown): Status | undefined {
  const { code, rawMessage, details } = ConnectError.from(error);
  const own = details.flatMap((detail) =>
    "desc" in detail ? [anyPack(detail.desc, create(detail.desc, detail.value))] : [],
  );
  const foreign = details.flatMap((detail) =>
    "desc" in detail
      ? []
      : [
          {
            $typeName: "google.protobuf.Any" as const,
            typeUrl: `type.googleapis.com/${detail.type}`,
            value: detail.value,
          },
        ],
  );
  const all = [...own, ...foreign];
  if (all.length === 0 && (code === Code.Aborted || code === Code.Unavailable || code === Code.Unknown))
    return undefined;
  return create(StatusSchema, { code, message: rawMessage, details: all });
}

function statusOfEnd(end: LeaseEnd): Status {
  const error = errorOfEnd(end);
  return (error && statusIn(error)) ?? create(StatusSchema);
}

function notFound(): ConnectError {
  const info = { domain: "ggen.backpressure", reason: "SESSION_NOT_FOUND" };
  return new ConnectError("no such session", Code.NotFound, undefined, [{ desc: ErrorInfoSchema, value: info }]);
}

const NOT_FOUND = reasonStatus("LEASE_NOT_FOUND", "no such lease");

function reasonStatus(reason: string, message: string): Status {
  const info = create(ErrorInfoSchema, { domain: "ggen.backpressure", reason });
  return create(StatusSchema, { code: Code.Aborted, message, details: [anyPack(ErrorInfoSchema, info)] });
}

function msOf({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1000 + nanos / 1e6;
}
