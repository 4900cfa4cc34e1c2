/** Random commands of sessions, of limiters as of boards: a few sessions at a time, aimed at those there are. */

import type { Called } from "../../../src/server/machine/callers.ts";
import type { SessionRef, SessionStream } from "../../../src/server/machine/session.ts";
import type { StreamEnd } from "../../../src/server/machine/stream.ts";
import type { Dice } from "./dice.ts";
import type { ModelSession } from "./model-sessions.ts";

type SessionCommand =
  | (Called & SessionStream & { readonly kind: "open-session" | "resume-session"; readonly sessionId: string })
  | (Called & { readonly kind: "renew-session"; readonly session: SessionRef })
  | { readonly kind: "leave-session"; readonly sessionId: string; readonly stream: number; readonly how: StreamEnd };

export interface RandomSessions {
  /** Most often a stream that is open, sometimes one that was displaced or has ended; undefined: no session has one. */
  ref(dice: Dice): SessionRef | undefined;
  /** The session whose stream that is. */
  find(ref: SessionRef | undefined): ModelSession | undefined;
  /** Opens, resumes, renews or leaves one. */
  command(dice: Dice): SessionCommand;
}

export interface RandomSessionsOptions {
  readonly sessions: () => readonly ModelSession[];
  /** A number that nothing has had. */
  readonly next: () => number;
  readonly callers: readonly (string | undefined)[];
  /** How many there are at once, most often. */
  readonly most: number;
  /** Most often the caller that is known, sometimes another. */
  readonly callerFor: (known: string | undefined, dice: Dice) => string | undefined;
}

export function createRandomSessions({
  sessions,
  next,
  callers,
  most,
  callerFor,
}: RandomSessionsOptions): RandomSessions {
  return {
    ref(dice) {
      const open = sessions().flatMap(({ id, stream }) => (stream === undefined ? [] : [{ id, stream }]));
      if (open.length === 0) return undefined;
      const ref = dice.pick(open);
      return dice.chance(97) ? ref : { id: dice.chance(50) ? ref.id : "no session", stream: ref.stream - 1 };
    },

    find: (ref) => sessions().find(({ id, stream }) => id === ref?.id && stream === ref.stream),

    command(dice) {
      const monitored = dice.chance(85);
      const keepOnCancel = dice.chance(30);
      const all = sessions();
      const any = all.length === 0 ? undefined : dice.pick(all);
      if (any === undefined || (all.length < most && dice.chance(30))) {
        const stream = next();
        const caller = dice.pick(callers);
        return { kind: "open-session", sessionId: `session-${stream}`, stream, monitored, keepOnCancel, caller };
      }
      const what = dice.pick(["resume", "leave", "leave", "renew", "renew"] as const);
      const stream = any.stream ?? 0;
      const sessionId = dice.chance(95) ? any.id : "no session";
      const caller = callerFor(any.caller, dice);
      if (what === "renew") return { kind: "renew-session", session: { id: sessionId, stream }, caller };
      if (what === "resume") {
        const by = { stream: next(), monitored, keepOnCancel, caller };
        // One may be opened under an id of which something is left.
        if (dice.chance(10)) return { kind: "open-session", sessionId: any.id, ...by };
        return { kind: "resume-session", sessionId, ...by };
      }
      const how = dice.pick(["cancelled", "lost", "lost"] as const);
      return { kind: "leave-session", sessionId, stream: dice.chance(95) ? stream : stream - 1, how };
    },
  };
}
