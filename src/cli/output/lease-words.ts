/** What becomes of a lease, for people. */

import type { GrantedClaim } from "../../client/api/claim.ts";
import type { DrainingNotice, Lease, RevokingNotice } from "../../client/api/lease.ts";
import type { Refusal } from "../../client/api/refusal.ts";
import { formatCount, formatTimeOfDay } from "../../text/number.ts";
import { retryWords } from "../session/failure.ts";
import type { Terminal } from "../session/terminal.ts";
import type { LeaseNews, LeaseNewsOptions } from "./lease-news.ts";
import { createWaitingLine } from "./waiting-line.ts";

export function createLeaseWords(terminal: Terminal, { limiter, verbose }: LeaseNewsOptions): LeaseNews {
  return {
    waiting: createWaitingLine(terminal, limiter, verbose),
    granted(lease, holding) {
      terminal.print(`granted: ${grantWords(lease)}`);
      if (holding) terminal.warn(heldWords(lease));
    },
    refused: (refusal) => terminal.print(`refused: ${refusalWords(refusal)}`),
    revoking: (notice) => terminal.warn(revokingWords(notice)),
    draining: (notice) => terminal.warn(drainingWords(notice)),
    ended(end) {
      if (verbose) terminal.warn(`the lease has ended: ${end}`);
    },
  };
}

export function revokingWords({ endTime, message }: RevokingNotice): string {
  const why = message === "" ? "" : `: ${message}`;
  return `backpressure: an operator asks for the lease back by ${formatTimeOfDay(endTime)}${why}`;
}

export function drainingWords({ endTime }: DrainingNotice): string {
  return `backpressure: the server is about to stop; it waits for its leases until ${formatTimeOfDay(endTime)}`;
}

/** Whether there is anything to hold: a grant of a rate limit alone leaves nothing. */
export function holdsNothing(lease: Lease): boolean {
  return !lease.valid && !lease.signal.aborted;
}

function heldWords(lease: Lease): string {
  return holdsNothing(lease)
    ? "it holds no permits, so there is nothing to hold on to"
    : "holding; Ctrl-C gives it back";
}

function grantWords({ id, claims }: Lease): string {
  return [...claims.map(claimWords), `lease ${id}`].join("; ");
}

function claimWords({ limiter, key, permits, tokens, fencingToken, slots }: GrantedClaim): string {
  const parts = [key === "" ? limiter : `${limiter} (key ${key})`];
  if (permits > 0) parts.push(formatCount(permits, "permit"));
  if (tokens > 0) parts.push(formatCount(tokens, "token"));
  parts.push(`fencing token ${fencingToken}`);
  if (slots.length > 0) parts.push(`slots ${slots.join(",")}`);
  return parts.join(", ");
}

function refusalWords({ reason, message, retryAfterMs, waitersAhead }: Refusal): string {
  const queue = waitersAhead > 0 ? `; ${waitersAhead} waiting` : "";
  return `${message} (${reason})${queue}${retryWords(retryAfterMs)}`;
}
