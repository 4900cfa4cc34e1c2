/** Sessions of boards: their streams come and go, and the pulls and the work of their workers with them. */

import { callerOf } from "../callers.ts";
import { holdIn, leaveSessionOf, outlivesStream } from "../liveness.ts";
import { refusal } from "../reasons.ts";
import { attachStream, createSession, detachStream, enter, leastTtl, type Session } from "../session.ts";
import type { StreamEnd } from "../stream.ts";
import type {
  BoardOutcomes,
  LeaveBoardSession,
  OpenBoardSession,
  RenewBoardSession,
  ResumeBoardSession,
} from "./command.ts";
import type { Puller, Work } from "./model.ts";
import { type BoardState, touch } from "./state.ts";
import { placeOf } from "./work.ts";
import { leaveQueue, leaveWork } from "./work-commands.ts";

export function openSession(state: BoardState, command: OpenBoardSession): BoardOutcomes["open-session"] {
  const known = state.sessions.get(command.sessionId);
  if (known !== undefined) {
    // Ids are the server's own: what is another caller's stays as it is, and answers to no command of this one.
    if (known.caller === callerOf(command)) takeUp(state, known, command);
    return DONE;
  }
  const session = createSession<Puller>(command.sessionId, callerOf(command), state.now);
  session.first = true;
  state.sessions.set(session.id, session);
  attachStream(state, session, command);
  return DONE;
}

export function resumeSession(state: BoardState, command: ResumeBoardSession): BoardOutcomes["resume-session"] {
  const session = state.sessions.get(command.sessionId);
  if (session?.caller !== callerOf(command)) return refusal("SESSION_NOT_FOUND");
  takeUp(state, session, command);
  const cards = heldIn(state, session).map(({ id, card, token }) => {
    const { board, card: cardId } = placeOf(card);
    return { workId: id, board, cardId, token };
  });
  return { kind: "session-resumed", cards };
}

export function renewSession(state: BoardState, command: RenewBoardSession): BoardOutcomes["renew-session"] {
  const session = enter(state, command);
  if (session?.kind !== "session") return session ?? refusal("SESSION_NOT_FOUND");
  const ttl = leastTtl(session);
  return { kind: "session-renewed", validFor: ttl === undefined ? undefined : Math.floor(ttl / 2) };
}

/** Each pull, and the work on each card, goes by the rules for a stream of its own. */
export function leaveSession(state: BoardState, command: LeaveBoardSession): BoardOutcomes["leave-session"] {
  const { sessionId, stream, how, unheard } = command;
  const session = state.sessions.get(sessionId);
  if (session === undefined || session.stream !== stream) return DONE;
  leaveQueues(state, session, how);
  const works = heldIn(state, session);
  const unheardOf = new Set(unheard);
  const outliving = new Set(works.filter((work) => outlivesStream(work, how)));
  detachStream(state, session);
  for (const work of works) {
    if (unheardOf.has(work.id)) work.heard = false;
    if (outliving.has(work)) touch(state, work.card);
    else leaveWork(state, work, how);
  }
  return DONE;
}

function takeUp(state: BoardState, session: Session<Puller>, command: OpenBoardSession | ResumeBoardSession): void {
  const { stream } = session;
  if (stream !== undefined && stream !== command.stream) {
    const news = { kind: "displaced", reason: "SESSION_DISPLACED" } as const;
    state.events.push({ to: stream, about: session.id, news });
    leaveQueues(state, session, "lost");
  }
  session.first = false;
  attachStream(state, session, command);
  for (const work of heldIn(state, session)) {
    work.heard = true;
    if (command.keepOnCancel) promise(state, session, work);
    touch(state, work.card);
  }
}

/** What is worked on by now has the promise, too. */
function promise(state: BoardState, session: Session, work: Work): void {
  const { attachment } = work;
  if (work.keepsOnCancel || attachment.kind !== "in-session") return;
  leaveSessionOf(state, work);
  work.keepsOnCancel = true;
  holdIn(state, work, session, attachment.first);
}

function leaveQueues(state: BoardState, session: Session<Puller>, how: StreamEnd): void {
  for (const puller of [...session.waiting.values()]) if (puller.stream !== undefined) leaveQueue(state, puller, how);
}

function heldIn(state: BoardState, { terms }: Session): Work[] {
  const works: Work[] = [];
  for (const { members } of terms.values()) for (const id of members.keys()) works.push(state.works.get(id) as Work);
  return works;
}

const DONE = { kind: "done" } as const;
