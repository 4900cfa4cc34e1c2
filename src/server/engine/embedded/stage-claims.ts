/**
 * The claims of pulls on the limiters that stages name: a puller with a card kept for it joins the limiter's queue like any
 * other client, and what comes of that goes back to the board machine.
 */

import type { ClaimEffect, HoldClaim, LoseClaim, SettleClaim } from "../../machine/board/command.ts";
import type { CallerBounds } from "../../machine/callers.ts";
import type { Acquire } from "../../machine/limiter/command.ts";
import type { StreamId } from "../../machine/liveness.ts";
import { refusal } from "../../machine/reasons.ts";
import type { AnswerTo, Engine, StreamNews } from "../engine.ts";

export interface StageClaims {
  /** Takes up the lease that work had before the start; a worker that has lost it loses the card. */
  adopt(work: { readonly id: string; readonly leaseId: string; readonly caller: string }): void;
  carryOut(effect: ClaimEffect): void;
  /** Asks anew what a pull waits for at its stage's limiter, which may have changed though its place has not. */
  look(id: string): Promise<void>;
  close(): void;
}

/** The stream of a claim, and the waiter or lease that it has at the limiter. */
interface Listening {
  readonly stream: StreamId;
  readonly leaseId: string;
}

export function createStageClaims(
  limiters: Engine,
  submit: (command: SettleClaim | HoldClaim | LoseClaim) => void,
): StageClaims {
  /** By the id of the pull. */
  const claims = new Map<string, Listening>();

  function listen(id: string, leaseId: string): Listening {
    const stream = limiters.openStream(
      (news) => hear(id, claim, news),
      () => lose(id, claim),
    );
    const claim = { stream, leaseId };
    claims.set(id, claim);
    return claim;
  }

  function hear(id: string, claim: Listening, news: StreamNews | AnswerTo<Acquire>): void {
    // The pull may have given up meanwhile, and asked anew: what is said of the older claim is of no account.
    if (claims.get(id) !== claim) return;
    switch (news.kind) {
      case "granted":
        submit({ kind: "settle-claim", id, refusal: undefined });
        return;
      case "refused":
        forget(id);
        submit({ kind: "settle-claim", id, refusal: news });
        return;
      case "ended":
        forget(id);
        if (news.end === "released") return;
        submit({ kind: "lose-claim", id, reason: news.end === "deleted" ? "LIMITER_DELETED" : "LEASE_REVOKED" });
        return;
      case "waiting":
        submit({ kind: "hold-claim", id, missing: news.missing });
        return;
      case "moved":
        submit({ kind: "hold-claim", id, missing: news.waiter.missing });
        return;
      // A worker is asked by its board, not by a limiter: the card stays until its lease has run out.
      case "revoking":
      case "displaced":
        return;
    }
  }

  /** The limiter is out of reach: a pull that waits for it is refused, and work that holds a permit of it loses its card. */
  function lose(id: string, claim: Listening): void {
    if (claims.get(id) !== claim) return;
    forget(id);
    submit({ kind: "settle-claim", id, refusal: refusal("ENGINE_UNAVAILABLE") });
    submit({ kind: "lose-claim", id, reason: "LEASE_REVOKED" });
  }

  function ask({ id, leaseId, limiter, worker, caller, now }: ClaimEffect & { readonly kind: "claim" }): void {
    const claim = listen(id, leaseId);
    const command = {
      kind: "acquire",
      id: leaseId,
      claims: [{ limiter, key: "", permits: 1, tokens: 1, slots: false }],
      holder: worker,
      maxWait: now ? 0 : undefined,
      ttl: 0,
      requestId: "",
      stream: claim.stream,
      monitored: true,
      keepOnCancel: false,
      session: undefined,
      caller,
      bounds: ANY_NUMBER,
    } as const;
    limiters.submit(
      command,
      (answer) => hear(id, claim, answer),
      () => lose(id, claim),
    );
  }

  /** Gives up asking, or gives back what was granted. */
  function giveBack(id: string): void {
    const claim = forget(id);
    if (claim === undefined) return;
    const { leaseId, stream } = claim;
    limiters.submit({ kind: "leave", id: leaseId, stream, how: "cancelled" }, IGNORE, IGNORE);
  }

  function forget(id: string): Listening | undefined {
    const claim = claims.get(id);
    if (claim === undefined) return undefined;
    claims.delete(id);
    limiters.closeStream(claim.stream);
    return claim;
  }

  return {
    adopt({ id, leaseId, caller }) {
      const claim = listen(id, leaseId);
      limiters.submit(
        { kind: "resume", leaseId, stream: claim.stream, monitored: true, keepOnCancel: false, caller },
        ({ kind }) => {
          if (kind !== "granted") lose(id, claim);
        },
        () => lose(id, claim),
      );
    },
    carryOut(effect) {
      if (effect.kind === "claim") ask(effect);
      else giveBack(effect.id);
    },
    async look(id) {
      const claim = claims.get(id);
      const waiter = claim && (await limiters.waiter(claim.leaseId));
      if (waiter !== undefined && claims.get(id) === claim) submit({ kind: "hold-claim", id, missing: waiter.missing });
    },
    close() {
      for (const id of [...claims.keys()]) forget(id);
    },
  };
}

/** What its caller may have is decided with the pull, by the machine of boards. */
const ANY_NUMBER: CallerBounds = { maxWaiters: Number.MAX_SAFE_INTEGER, maxLeases: Number.MAX_SAFE_INTEGER };
const IGNORE = () => {};
