/** Sessions of limiters: their streams come and go, and what they hold and wait for with them. */

import { callerOf } from "../callers.ts";
import { holdIn, leaveSessionOf, outlivesStream } from "../liveness.ts";
import { refusal } from "../reasons.ts";
import { attachStream, createSession, detachStream, enter, isAway, leastTtl, type Session } from "../session.ts";
import type { StreamEnd } from "../stream.ts";
import type { LeaveSession, OpenSession, Outcomes, RenewSession, ResumeSession } from "./command.ts";
import { endLease } from "./ending.ts";
import { heldLimiters, type Lease, noteRevoked } from "./lease.ts";
import { leaveQueue } from "./lease-commands.ts";
import type { Waiter } from "./limiter.ts";
import { noteChange, type State } from "./state.ts";
import { reliableFor, validFor } from "./view.ts";

export function openSession(state: State, command: OpenSession): Outcomes["open-session"] {
  const { sessionId } = command;
  const known = state.sessions.get(sessionId);
  if (known !== undefined) {
    // Ids are the server's own: what is another caller's stays as it is, and answers to no command of this one.
    if (known.caller === callerOf(command)) takeUp(state, known, command);
    return DONE;
  }
  const session = createSession<Waiter>(sessionId, callerOf(command), state.now);
  session.first = true;
  state.sessions.set(sessionId, session);
  attachStream(state, session, command);
  return DONE;
}

export function resumeSession(state: State, command: ResumeSession): Outcomes["resume-session"] {
  const session = state.sessions.get(command.sessionId);
  if (session?.caller !== callerOf(command)) return refusal("SESSION_NOT_FOUND");
  takeUp(state, session, command);
  const leases = heldIn(state, session).sort((a, b) => a.serial - b.serial);
  // Its client may have been away when an operator asked for one.
  for (const lease of leases) {
    if (lease.revokedAt === undefined) continue;
    state.events.push({ to: command.stream, about: lease.id, news: { kind: "revoking", lease, message: "" } });
  }
  return { kind: "session-resumed", leaseIds: leases.map(({ id }) => id) };
}

export function renewSession(state: State, command: RenewSession): Outcomes["renew-session"] {
  const session = enter(state, command);
  if (session?.kind !== "session") return session ?? refusal("SESSION_NOT_FOUND");
  let least = leastTtl(session);
  if (least !== undefined) least = reliableFor(least);
  // Their time runs out whatever is renewed.
  for (const id of session.revoked) {
    const lease = state.leases.get(id);
    const left = lease && validFor(lease, state.now);
    if (left !== undefined) least = Math.min(least ?? left, left);
  }
  return { kind: "session-renewed", validFor: least };
}

/** Each lease and waiter of the session goes by the rules for a stream of its own. */
export function leaveSession(state: State, { sessionId, stream, how }: LeaveSession): Outcomes["leave-session"] {
  const session = state.sessions.get(sessionId);
  if (session === undefined || session.stream !== stream) return DONE;
  leaveQueues(state, session, how);
  const leases = heldIn(state, session);
  const ending = leases.filter((lease) => !outlivesStream(lease, lease.trustCancel ? how : "lost"));
  countOrphaned(leases, 1);
  detachStream(state, session);
  for (const lease of ending) endLease(state, lease, "cancelled");
  return DONE;
}

function takeUp(state: State, session: Session<Waiter>, command: OpenSession | ResumeSession): void {
  const { stream } = session;
  if (stream !== undefined && stream !== command.stream) {
    const news = { kind: "displaced", reason: "SESSION_DISPLACED" } as const;
    state.events.push({ to: stream, about: session.id, news });
    leaveQueues(state, session, "lost");
  }
  const leases = heldIn(state, session);
  if (isAway(session)) countOrphaned(leases, -1);
  session.first = false;
  attachStream(state, session, command);
  if (command.keepOnCancel) for (const lease of leases) promise(state, session, lease);
}

/** What is held by now has the promise, too. */
function promise(state: State, session: Session, lease: Lease): void {
  const { attachment } = lease;
  if (lease.keepsOnCancel || attachment.kind !== "in-session") return;
  leaveSessionOf(state, lease);
  lease.keepsOnCancel = true;
  holdIn(state, lease, session, attachment.first);
  noteRevoked(lease);
  noteChange(state, { kind: "lease-put", lease });
}

function leaveQueues(state: State, session: Session<Waiter>, how: StreamEnd): void {
  for (const waiter of [...session.waiting.values()]) {
    if (waiter.stream !== undefined) leaveQueue(state, waiter, waiter.trustCancel ? how : "lost");
  }
}

function countOrphaned(leases: readonly Lease[], more: 1 | -1): void {
  for (const lease of leases) {
    for (const limiter of heldLimiters(lease)) {
      limiter.orphanedLeases += more;
      limiter.statistics.activity += 1;
    }
  }
}

function heldIn(state: State, { terms }: Session): Lease[] {
  const leases: Lease[] = [];
  for (const { members } of terms.values()) for (const id of members.keys()) leases.push(state.leases.get(id) as Lease);
  return leases;
}

const DONE = { kind: "done" } as const;
