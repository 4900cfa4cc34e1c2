/** Pulling a card: waiting for one, or taking one that is there. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ask, type Heard, type Question } from "./ask.ts";
import { askAgain } from "./ask-again.ts";
import { askNow } from "./ask-now.ts";
import type { Reopen } from "./attachment.ts";
import { openCallStream } from "./call-stream.ts";
import type { BoardCalls } from "./calls.ts";
import {
  BoardService,
  type PullCardRequestSchema,
  type PullCardResponse,
} from "./gen/ggen/backpressure/v1/board_service_pb.ts";
import { refusalFromWire } from "./lease-wire.ts";
import { notify } from "./notify.ts";
import type { WorkPorts } from "./ports.ts";
import { reasonFromWire } from "./reason-wire.ts";
import type { Refusal } from "./refusal.ts";
import { msToDuration, timestampToDate } from "./time-wire.ts";
import type { Withdrawal } from "./withdrawing.ts";
import type { PullNotice, PullOptions, TryPullOptions } from "./work.ts";
import { endedError, type WorkHolding } from "./work-holding.ts";
import type { WorkAdmission } from "./work-holdings.ts";
import { renewCards } from "./work-renewing.ts";
import { noneError, type Place, type Pulled, pulledFromWire } from "./work-wire.ts";

/** Waits for a card. */
export async function pull(ports: WorkPorts, place: Place, options: PullOptions): Promise<WorkAdmission> {
  const { worker, ttl } = options;
  const request = { ...place, worker, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const withdrawal = withdrawPull(ports.calls, place.board);
  return askAgain(ports, { ...options, withdrawal }, ({ requestId, maxWait, ...asking }) =>
    ask(ports, pullQuestion(ports, { ...request, requestId, maxWait, keepOnCancel: true }, options), asking),
  );
}

export type PullAttempt = WorkAdmission | { readonly kind: "refused"; readonly refusal: Refusal };

/** Takes a card now or not at all. */
export async function tryPull(ports: WorkPorts, place: Place, options: TryPullOptions): Promise<PullAttempt> {
  const { calls, works } = ports;
  const { worker, ttl, cardId, signal } = options;
  const request = { ...place, worker, cardId, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const withdrawal = withdrawPull(calls, place.board);
  return askNow(ports, { ...options, withdrawal }, async ({ requestId, sentAt, within, signal: unwanted }) => {
    const asked = { ...request, requestId };
    const { result } = await calls.unary((rpcOptions) => calls.board.tryPullCard(asked, rpcOptions), { within });
    switch (result.case) {
      case "pulled": {
        const pulled = pulledFromWire(place, result.value);
        const admission = works.admit({ pulled, sentAt, attached: undefined, signal });
        if (unwanted.aborted && admission.kind === "held") void admission.holding.abandon(unwanted.reason);
        return admission;
      }
      case "none":
        return { kind: "refused", refusal: refusalFromWire(result.value) };
      default:
        throw calls.unavailable("it answered with neither a card nor a refusal");
    }
  });
}

type PullEvent = PullCardResponse["event"];
type PullRequest = Place & Exclude<MessageInitShape<typeof PullCardRequestSchema>, { $typeName: string }>;

function pullQuestion(
  ports: WorkPorts,
  request: PullRequest,
  { signal, onWaiting, onDraining }: PullOptions,
): Question<PullEvent, Pulled, WorkHolding, WorkAdmission> {
  const { calls, works } = ports;

  function read(event: PullEvent): Heard<Pulled, WorkHolding> | undefined {
    switch (event.case) {
      case "waiting": {
        const { pullersAhead, missing } = event.value;
        const notice: PullNotice = { pullersAhead, missing: reasonFromWire(missing) };
        return { kind: "waiting", tell: () => onWaiting?.(notice) };
      }
      case "pulled":
        return { kind: "granted", grant: pulledFromWire(request, event.value) };
      case "none":
        return { kind: "refused", error: noneError(request, event.value) };
      case "draining": {
        const { endTime } = event.value;
        if (endTime === undefined) return undefined;
        return { kind: "notice", tell: () => notify(onDraining, { endTime: timestampToDate(endTime) }) };
      }
      default:
        return undefined;
    }
  }

  /** However long the server says nothing: a connection that is dead is found by its pings. */
  function reopenOf({ credential }: Pulled): Reopen<Pulled> {
    const { board, stage } = request;
    const { cardId, fencingToken } = credential;
    const resume = { board, stage, resume: { cardId, fencingToken }, keepOnCancel: true };
    return ({ resumed, over }) => {
      function hear(event: PullEvent): void {
        const heard = read(event);
        if (heard?.kind === "granted") resumed(heard.grant);
        else if (heard?.kind === "notice") heard.tell(undefined);
      }
      const speaksWithin = Number.POSITIVE_INFINITY;
      return openCallStream(
        ports,
        (rpcOptions) => calls.board.pullCard(resume, rpcOptions),
        { hear, over },
        { speaksWithin },
      );
    };
  }

  return {
    call: (rpcOptions) => calls.board.pullCard(request, rpcOptions),
    read,
    async confirm(pulled) {
      const [renewal] = await renewCards(calls, request.board, [pulled.credential]);
      if (renewal?.kind === "renewed") return { ...pulled, validFor: renewal.validFor };
      throw endedError(pulled, "its worker had not heard of it in time");
    },
    hold(pulled, sentAt, stream) {
      const attached = { stream, reopen: reopenOf(pulled) };
      const admission = works.admit({ pulled, sentAt, attached, signal });
      return { answer: admission, holding: admission.kind === "held" ? admission.holding : undefined };
    },
  };
}

function withdrawPull({ board: rpc }: BoardCalls, board: string): Withdrawal {
  return {
    say: (requestId, options) => rpc.giveBackCard({ board, requestId }, options),
    lastWord: (requestId) => ({ method: BoardService.method.giveBackCard, request: { board, requestId } }),
  };
}
