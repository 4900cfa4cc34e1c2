/** Refusals of the machine in the words of this process: no server, and options by the names that they have in TypeScript. */

import { AdmissionError } from "../client/api/errors.ts";
import { createRefusal, type Refusal } from "../client/api/refusal.ts";
import { FALLBACK_RETRY_MS, isNotNow, REASONS } from "../reasons/reasons.ts";
import type { Refusal as MachineRefusal, Reason } from "../server/machine/reasons.ts";
import { refusalMessage } from "../server/machine/refusal-message.ts";

/** Returns the error that `acquire` rejects with. */
export function refusalToError(no: MachineRefusal): AdmissionError {
  const { reason, limiter, key, retryAfter } = no;
  const message = messageOf(no);
  const { code } = REASONS[reason];
  if (reason === "KEY_REQUIRED" || reason === "KEY_NOT_ALLOWED") {
    const violations = [{ field: "key", description: message, rule: reason }];
    return new AdmissionError(message, { reason: "INVALID_REQUEST", code, limiter, violations });
  }
  const retryAfterMs = isNotNow(reason) ? (msOf(retryAfter) ?? FALLBACK_RETRY_MS) : undefined;
  return new AdmissionError(message, { reason, code, limiter, key, retryAfterMs });
}

/** Returns the answer of `tryAcquire`. */
export function refusalToAnswer(no: MachineRefusal & { readonly reason: AnswerReason }): Refusal {
  const { reason, retryAfter, limiter, key, waitersAhead } = no;
  return createRefusal({ reason, message: messageOf(no), limiter, key, retryAfterMs: msOf(retryAfter), waitersAhead });
}

type AnswerReason = Exclude<Reason, "KEY_REQUIRED" | "KEY_NOT_ALLOWED">;

function messageOf(no: MachineRefusal): string {
  if (no.reason === "LIMITER_NOT_FOUND") return `there is no limiter ${JSON.stringify(no.limiter)} among these`;
  return refusalMessage(no, inTypeScript);
}

/** `max_waiters` as `maxWaiters`. */
function inTypeScript(field: string): string {
  return field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function msOf(micros: number | undefined): number | undefined {
  return micros === undefined ? undefined : micros / 1000;
}
