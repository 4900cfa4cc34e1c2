/**
 * The claims of pulls on the limiters that stages name: a puller with a card kept for it joins the limiter's queue like
 * anybody else, and what comes of that goes back to the board machine.
 */

import type { ClaimEffect, LoseClaim, SettleClaim } from "../../machine/board/command.ts";
import type { StreamId } from "../../machine/claim.ts";
import type { Engine, StreamNews } from "../engine.ts";

export interface StageClaims {
  /** Takes up the lease that work had before the start; a worker that has lost it loses the card. */
  adopt(id: string): void;
  carryOut(effect: ClaimEffect): void;
  close(): void;
}

export function createStageClaims(limiters: Engine, submit: (command: SettleClaim | LoseClaim) => void): StageClaims {
  const streams = new Map<string, StreamId>();

  /** Opens a stream for a claim, and passes on what is said of it. */
  function listen(id: string): { readonly stream: StreamId; readonly hear: (news: StreamNews) => void } {
    const hear = (news: StreamNews) => {
      // It may have given up meanwhile, and asked anew: what is said of the older claim is of no account.
      if (streams.get(id) !== stream) return;
      switch (news.kind) {
        case "granted":
          submit({ kind: "settle-claim", id, refusal: undefined });
          return;
        case "refused":
          forget(id);
          submit({ kind: "settle-claim", id, refusal: news });
          return;
        case "revoking":
          // A worker is asked by its board, not by a limiter: the card stays until its lease has run out.
          return;
        case "ended":
          if (!forget(id) || news.end === "released") return;
          submit({ kind: "lose-claim", id, reason: news.end === "deleted" ? "LIMITER_DELETED" : "LEASE_REVOKED" });
          return;
        case "displaced":
        case "moved":
          return;
      }
    };
    const stream = limiters.openStream(hear);
    streams.set(id, stream);
    return { stream, hear };
  }

  function claim(effect: Extract<ClaimEffect, { kind: "claim" }>): void {
    const { id, limiter, worker, now } = effect;
    const { stream, hear } = listen(id);
    const command = {
      kind: "acquire",
      id,
      claims: [{ limiter, key: "", permits: 1, tokens: 1, slots: false }],
      holder: worker,
      maxWait: now ? 0 : undefined,
      ttl: 0,
      requestId: "",
      stream,
      monitored: true,
      keepOnCancel: false,
    } as const;
    limiters.submit([command], ([outcome]) => {
      if (outcome.kind !== "waiting") hear(outcome);
    });
  }

  /** Whether there was a claim to forget. */
  function forget(id: string): boolean {
    const stream = streams.get(id);
    if (stream === undefined) return false;
    streams.delete(id);
    limiters.closeStream(stream);
    return true;
  }

  return {
    adopt(id) {
      const { stream } = listen(id);
      limiters.submit([{ kind: "resume", leaseId: id, stream, monitored: true, keepOnCancel: false }], ([outcome]) => {
        if (outcome.kind === "granted") return;
        forget(id);
        submit({ kind: "lose-claim", id, reason: "LEASE_REVOKED" });
      });
    },
    carryOut(effect) {
      if (effect.kind === "claim") {
        claim(effect);
        return;
      }
      const stream = streams.get(effect.id);
      if (stream === undefined || !forget(effect.id)) return;
      limiters.submit([{ kind: "leave", id: effect.id, stream, how: "cancelled" }], () => {});
    },
    close() {
      for (const id of [...streams.keys()]) forget(id);
    },
  };
}
