/** Pulling a card: waiting for one, or taking one that is there. */

import type { Duration } from "@bufbuild/protobuf/wkt";
import type { DrainingNotice } from "../api/lease.ts";
import type { Refusal } from "../api/refusal.ts";
import type { PullNotice, PullOptions, TryPullOptions } from "../api/work.ts";
import { BoardService, type PullCardResponse } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Refusal as WireRefusal } from "../gen/ggen/backpressure/v1/reason_pb.ts";
import type { Attached } from "../hold/held.ts";
import { askNow } from "../hold/retry-now.ts";
import { askAgain, type WaitingAttempt } from "../hold/retry-waiting.ts";
import { isProven, readStream } from "../hold/waiting-call.ts";
import { type CallStream, mapStream, openCallStream } from "../rpc/call-stream.ts";
import type { BoardCalls } from "../rpc/calls.ts";
import type { Moment } from "../rpc/clock.ts";
import { type RequestHeaders, requestHeaders } from "../rpc/headers.ts";
import { unlessAborted } from "../rpc/linked-signal.ts";
import { notify } from "../rpc/notify.ts";
import type { Withdrawal } from "../rpc/withdrawal.ts";
import { refusalFromWire } from "../wire/lease.ts";
import { reasonFromWire } from "../wire/reason.ts";
import { msToDuration, timestampToDate } from "../wire/time.ts";
import { noneError, type Place, type Pulled, pulledFromWire } from "../wire/work.ts";
import { endedError } from "./held-work.ts";
import type { WorkAdmission, WorkPorts } from "./held-works.ts";
import { renewCards } from "./renew.ts";

/** Waits for a card. */
export async function pull(ports: WorkPorts, place: Place, options: PullOptions): Promise<WorkAdmission> {
  const headers = requestHeaders(ports.headers, options.headers);
  const withdrawal = withdrawPull(ports.calls, place.board);
  const ttl = options.ttl === undefined ? undefined : msToDuration(options.ttl, "ttl");
  return askAgain(ports, { ...options, withdrawal }, (attempt) =>
    waitOnce(ports, { place, ttl, options, headers }, attempt),
  );
}

export type PullAttempt = WorkAdmission | { readonly kind: "refused"; readonly refusal: Refusal };

/** Takes a card now or not at all. */
export async function tryPull(ports: WorkPorts, place: Place, options: TryPullOptions): Promise<PullAttempt> {
  const { calls, works } = ports;
  const { worker, ttl, cardId, signal } = options;
  const request = { ...place, worker, cardId, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const headers = requestHeaders(ports.headers, options.headers);
  const withdrawal = withdrawPull(calls, place.board);
  return askNow(ports, { ...options, withdrawal }, async ({ requestId, sentAt, within, signal: unwanted }) => {
    const asked = { ...request, requestId };
    const { result } = await calls.unary(
      (rpcOptions) => calls.board.tryPullCard(asked, { ...rpcOptions, ...headers() }),
      { within },
    );
    switch (result.case) {
      case "pulled": {
        const pulled = pulledFromWire(place, result.value);
        const admission = works.admit({ pulled, sentAt, attached: undefined, signal });
        if (unwanted.aborted && admission.kind === "held") void admission.work.abandon(unwanted.reason);
        return admission;
      }
      case "none":
        return { kind: "refused", refusal: refusalFromWire(result.value) };
      default:
        throw calls.unavailable("it answered with neither a card nor a refusal");
    }
  });
}

interface Wanted {
  readonly place: Place;
  readonly ttl: Duration | undefined;
  readonly options: PullOptions;
  readonly headers: RequestHeaders;
}

async function waitOnce(
  ports: WorkPorts,
  { place, ttl, options, headers }: Wanted,
  { requestId, maxWait, signal, onHeard }: WaitingAttempt,
): Promise<WorkAdmission> {
  const { calls, clock, works } = ports;
  const { worker, onWaiting, onDraining } = options;
  const request = { ...place, worker, ttl, requestId, maxWait, keepOnCancel: true };
  const sentAt = clock.now();

  async function read(stream: CallStream<PullEvent>): Promise<WorkAdmission> {
    for await (const wire of stream) {
      const event = readEvent(place, wire);
      switch (event?.kind) {
        case "waiting":
          onHeard();
          onWaiting?.(event.notice);
          break;
        case "pulled": {
          const proof = await prove(ports, event.pulled, sentAt, signal);
          signal.throwIfAborted();
          const attached = attachedTo(ports, { place, stream, pulled: event.pulled, onDraining });
          const admission = works.admit({ ...proof, attached, signal: options.signal });
          // The server ends the stream of a card that was only moved.
          if (admission.kind === "moved") void stream.finish().then(stream.place.leave);
          return admission;
        }
        case "none":
          throw noneError(place, event.refusal);
        case "draining":
          notify(onDraining, event.notice);
          break;
      }
    }
    throw calls.unavailable("it ended the stream without a grant");
  }

  const call = (rpcOptions: { readonly signal: AbortSignal }) =>
    calls.board.pullCard(request, { ...rpcOptions, ...headers() });
  return readStream(ports, call, read, signal);
}

/** Has a card confirmed that comes after so long a wait that its request proves nothing any more; throws if it is gone. */
async function prove({ calls, clock }: WorkPorts, pulled: Pulled, sentAt: Moment, signal: AbortSignal) {
  if (isProven(pulled.validFor, sentAt, clock)) return { pulled, sentAt };
  const askedAt = clock.now();
  const { credential } = pulled;
  const [renewal] = await unlessAborted(renewCards(calls, credential.board, [credential]), signal);
  if (renewal?.kind !== "renewed") throw endedError(pulled, "its worker had not heard of it in time");
  return { pulled: { ...pulled, validFor: renewal.validFor }, sentAt: askedAt };
}

interface Stream {
  readonly place: Place;
  readonly stream: CallStream<PullEvent>;
  readonly pulled: Pulled;
  readonly onDraining: PullOptions["onDraining"];
}

/** The stream as that of the lease on the card. */
function attachedTo(ports: WorkPorts, { place: at, stream, pulled, onDraining }: Stream): Attached {
  const { calls } = ports;
  const { cardId, fencingToken } = pulled.credential;
  const request = { ...at, resume: { cardId, fencingToken }, keepOnCancel: true };

  function readGrant(wire: PullEvent): Pulled | undefined {
    const event = readEvent(at, wire);
    if (event?.kind === "pulled") return event.pulled;
    if (event?.kind === "draining") notify(onDraining, event.notice);
    return undefined;
  }

  return {
    stream: mapStream(stream, readGrant),
    /** However long the server says nothing: a connection that is dead is found by its pings. */
    reopen(place) {
      const speaksWithin = Number.POSITIVE_INFINITY;
      const call = (rpcOptions: { readonly signal: AbortSignal }) => calls.board.pullCard(request, rpcOptions);
      return mapStream(openCallStream(ports, call, { place, speaksWithin }), readGrant);
    },
  };
}

type PullEvent = PullCardResponse["event"];

/** What the server says of a pull. */
type ServerEvent =
  | { readonly kind: "waiting"; readonly notice: PullNotice }
  | { readonly kind: "pulled"; readonly pulled: Pulled }
  | { readonly kind: "none"; readonly refusal: WireRefusal }
  | { readonly kind: "draining"; readonly notice: DrainingNotice };

/** Undefined for what changes nothing, a heartbeat for one, or what only a newer client knows. */
function readEvent(place: Place, wire: PullEvent): ServerEvent | undefined {
  switch (wire.case) {
    case "waiting": {
      const { pullersAhead, missing } = wire.value;
      return { kind: "waiting", notice: { pullersAhead, missing: reasonFromWire(missing) } };
    }
    case "pulled":
      return { kind: "pulled", pulled: pulledFromWire(place, wire.value) };
    case "none":
      return { kind: "none", refusal: wire.value };
    case "draining": {
      const { endTime } = wire.value;
      return endTime && { kind: "draining", notice: { endTime: timestampToDate(endTime) } };
    }
    default:
      return undefined;
  }
}

function withdrawPull({ board: rpc }: BoardCalls, board: string): Withdrawal {
  return {
    say: (requestId, options) => rpc.giveBackCard({ board, requestId }, options),
    lastWord: (requestId) => ({ method: BoardService.method.giveBackCard, request: { board, requestId } }),
  };
}
