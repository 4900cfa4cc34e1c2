/** Sessions, as the models of limiters and of boards know them: no term is shared, each thing that is held has its own time. */

import type { Attachment } from "../../../src/server/machine/liveness.ts";
import type { Session } from "../../../src/server/machine/session.ts";

export type ModelSession = Pick<
  Session,
  "kind" | "id" | "caller" | "stream" | "monitored" | "first" | "keepsOnCancel" | "aliveAt"
>;

/** As the machine has it, but for what is held in a session. */
export type ModelAttachment =
  | Exclude<Attachment, { kind: "in-session" }>
  | {
      readonly kind: "in-session";
      readonly session: ModelSession;
      readonly first: boolean;
      /** When it came into the session, or was last renewed by itself. */
      readonly since: number;
    };

interface ModelHeld {
  readonly ttl: number | undefined;
  readonly keepsOnCancel: boolean;
  readonly attachment: ModelAttachment;
}

/** A session that has yet to get its stream. */
export function newSession(id: string, caller: string, aliveAt: number): ModelSession {
  return {
    kind: "session",
    id,
    caller,
    stream: undefined,
    monitored: false,
    first: true,
    keepsOnCancel: false,
    aliveAt,
  };
}

/** The open stream that hears of it. */
export function streamOf({ attachment }: Pick<ModelHeld, "attachment">): number | undefined {
  if (attachment.kind === "in-session") return attachment.session.stream;
  return attachment.kind === "attached" ? attachment.stream : undefined;
}

export function isIn(session: ModelSession, { attachment }: Pick<ModelHeld, "attachment">): boolean {
  return attachment.kind === "in-session" && attachment.session === session;
}

/** When it runs out unless its session shows life; Infinity: it lasts. Undefined: it is in none. */
export function endInSession({ ttl, keepsOnCancel, attachment }: ModelHeld): number | undefined {
  if (attachment.kind !== "in-session") return undefined;
  const { stream, monitored, aliveAt } = attachment.session;
  const lasts = !ttl || (stream !== undefined && monitored && !keepsOnCancel);
  return lasts ? Number.POSITIVE_INFINITY : Math.max(aliveAt, attachment.since) + ttl;
}

/** What is compared of the sessions of a machine and a model. */
export function showSessions(sessions: Iterable<ModelSession>): ModelSession[] {
  return Array.from(sessions, ({ kind, id, caller, stream, monitored, first, keepsOnCancel, aliveAt }) => {
    return { kind, id, caller, stream, monitored, first, keepsOnCancel, aliveAt };
  }).sort((a, b) => a.id.localeCompare(b.id));
}

/** What is compared of how something is held. */
export function showAttachment(attachment: ModelAttachment | Attachment): object {
  if (attachment.kind !== "in-session") return attachment;
  const { id } = "term" in attachment ? attachment.term.session : attachment.session;
  return { kind: attachment.kind, session: id, first: attachment.first };
}
