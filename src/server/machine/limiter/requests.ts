/** Request ids: a retry finds what the request before it has made, and nothing is charged twice. */

import { callerOf, keyOfCaller } from "../callers.ts";
import { type Refusal, refusal } from "../reasons.ts";
import type { Claim } from "./claim.ts";
import type { Acquire, Granted, TryAcquire } from "./command.ts";
import { END_REASONS, type Lease } from "./lease.ts";
import type { Waiter } from "./limiter.ts";
import type { PastRequest } from "./past-request.ts";
import { noteChange, type State } from "./state.ts";

/** What a request id of the caller's stands for already: undefined if nothing, a refusal if something else. */
export function recall(state: State, command: Acquire | TryAcquire): Waiter | Lease | Granted | Refusal | undefined {
  const { requestId } = command;
  if (requestId === "") return undefined;
  const key = keyOfCaller(callerOf(command), requestId);
  const live = state.requests.get(key);
  if (live !== undefined) {
    const call = live.kind === "waiter" ? "acquire" : live.call;
    const asked = live.kind === "waiter" ? live.claims : live.asked;
    return call === command.kind && sameClaims(asked, command.claims) ? live : refusal("REQUEST_ID_REUSED");
  }
  const past = state.pastRequests.get(key);
  return past === undefined ? undefined : recallPast(past, command);
}

/** Remembers what a request id has stood for. */
export function pastRequest(
  state: State,
  { caller, requestId }: { readonly caller: string; readonly requestId: string },
  past: PastRequest,
): void {
  state.pastRequests.set(keyOfCaller(caller, requestId), past, state.now);
  noteChange(state, { kind: "request-past", caller, requestId, past });
}

function recallPast(past: PastRequest, command: Acquire | TryAcquire): Granted | Refusal {
  if (past.kind === "withdrawn") return refusal("REQUEST_WITHDRAWN");
  if (past.call !== command.kind || !sameClaims(past.asked, command.claims)) return refusal("REQUEST_ID_REUSED");
  if (past.kind === "ended") return refusal(END_REASONS[past.end]);
  return { kind: "granted", lease: past.lease, held: false, resumed: true };
}

function sameClaims(a: readonly Claim[], b: readonly Claim[]): boolean {
  return a.length === b.length && a.every((claim, index) => sameClaim(claim, b[index] as Claim));
}

function sameClaim(a: Claim, b: Claim): boolean {
  return (
    a.limiter === b.limiter &&
    a.key === b.key &&
    a.permits === b.permits &&
    a.tokens === b.tokens &&
    a.slots === b.slots
  );
}
