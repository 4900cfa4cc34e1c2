/** What is always true of sessions, of leases and waiters as of work and pullers. */

import type { Held, Queuer } from "./liveness.ts";
import type { Session, Term } from "./session.ts";
import { counts, holds } from "./structures/invariant.ts";

interface Housing<Q extends Queuer> {
  readonly now: number;
  readonly sessions: ReadonlyMap<string, Session<Q>>;
}

type Member = Queuer & { readonly session: Session | undefined };

/** Each is there for its open stream, or for something that lives in it, which knows it. O(n) in all that lives. */
export function assertSessions<Q extends Member>(
  { now, sessions }: Housing<Q>,
  held: ReadonlyMap<string, Held>,
  queuers: Iterable<Q>,
): void {
  const inSession = [...held.values()].filter(({ attachment }) => attachment.kind === "in-session");
  const waiting = [...queuers].filter(({ session }) => session !== undefined);
  let members = 0;
  let places = 0;
  for (const [id, session] of sessions) {
    const subject = `session ${id}`;
    const { stream, terms } = session;
    holds(session.id === id, subject, "it is kept under its id");
    holds(stream !== undefined || terms.size + session.waiting.size > 0, subject, "away implies something that lives");
    for (const [key, term] of terms) {
      members += term.members.size;
      holds(stream !== undefined || term.members.size > 0, subject, "away implies terms with members");
      holds(key === 2 * term.ttl + Number(term.keepsOnCancel), subject, "a term is kept under its ttl and promise");
      holds(term.session === session, subject, "a term is of its session");
      assertTerm(now, term, held);
    }
    for (const queuer of session.waiting.values()) {
      places += 1;
      holds(queuer.session === session, subject, "what waits in it knows it");
      holds(queuer.stream === undefined || queuer.stream === stream, subject, "what waits in it waits on its stream");
    }
    for (const lease of session.revoked) {
      holds(
        [...terms.values()].some((term) => term.members.has(lease)),
        subject,
        "what was asked back is held in it",
      );
    }
  }
  counts(members, inSession.length, "sessions", "things held in a session");
  counts(places, waiting.length, "sessions", "waiters of a session");
}

/** Its deadline is set exactly if its client must show itself, and is never later than the end of a member. */
function assertTerm(now: number, term: Term, held: ReadonlyMap<string, Held>): void {
  const { session, ttl, keepsOnCancel, members, heapIndex, dueAt } = term;
  const subject = `session ${session.id}, ttl ${ttl}`;
  const shows = session.stream !== undefined && session.monitored && !keepsOnCancel;
  holds((heapIndex !== -1) === (members.size > 0 && ttl > 0 && !shows), subject, "its time runs exactly if it must");
  let before = Number.NEGATIVE_INFINITY;
  for (const [id, joinedAt] of members) {
    const member = held.get(id);
    holds(member?.attachment.kind === "in-session" && member.attachment.term === term, subject, "its members know it");
    holds(
      member?.ttl === ttl && member.keepsOnCancel === keepsOnCancel,
      subject,
      "its members have its ttl and promise",
    );
    holds(joinedAt >= before && joinedAt <= now, subject, "its members stand in the order in which they joined");
    before = joinedAt;
    if (heapIndex === -1) continue;
    const end = Math.max(session.aliveAt, joinedAt) + ttl;
    holds(end > now, subject, "a member ends when its time has run out");
    holds(dueAt <= end, subject, "its deadline is not later than the end of a member");
  }
}
