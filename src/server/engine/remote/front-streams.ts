/**
 * The streams of one front as its owner knows them, with what stands or is held under each: what has to be left when the front is
 * lost. A stream that is closed stays known for as long as something is under it, since that is left under its number.
 */

import type { StreamId } from "../../machine/liveness.ts";
import type { AnyAnswer, AnyAsk, AnyNews, Of } from "./messages.ts";

export type LeaveAsk = Extract<AnyAsk, { kind: "leave" | "leave-pull" | "leave-session" }>;

/** A stream at the engine. */
export interface OwnStream {
  readonly of: Of;
  readonly own: StreamId;
}

/** How something is left. */
export interface Left extends OwnStream {
  readonly leave: LeaveAsk;
}

export interface FrontStreams {
  /** `number`: the front's own. */
  open(number: number, stream: OwnStream): void;
  get(number: number): OwnStream | undefined;
  close(number: number): void;
  /** An answer to a command of this stream has left. */
  answered(number: number, answer: AnyAnswer): void;
  /** This stream is that of a session from now on, which stands for all that is under it. */
  opens(number: number, sessionId: string): void;
  /** News about something of this stream have left. */
  said(number: number, about: string, news: AnyNews): void;
  /** The front has left something by itself. */
  left(number: number, leave: LeaveAsk): void;
  all(): Iterable<OwnStream>;
  /** What is under them. */
  subjects(): Iterable<Left>;
  clear(): void;
}

interface Stream extends OwnStream {
  closed: boolean;
  /** How much is under it. */
  subjects: number;
}

interface Subject {
  readonly stream: number;
  readonly leave: LeaveAsk;
}

export function createFrontStreams(): FrontStreams {
  const streams = new Map<number, Stream>();
  const subjects = new Map<string, Subject>();

  function put(number: number, stream: Stream, id: string, leave: LeaveAsk): void {
    const before = subjects.get(id)?.stream;
    if (before === number) return;
    if (before !== undefined) detach(before, id);
    subjects.set(id, { stream: number, leave });
    stream.subjects += 1;
  }

  function detach(number: number, id: string): void {
    const stream = streams.get(number);
    if (stream === undefined || subjects.get(id)?.stream !== number) return;
    subjects.delete(id);
    stream.subjects -= 1;
    if (stream.closed && stream.subjects === 0) streams.delete(number);
  }

  function* left(): Generator<Left> {
    for (const { stream, leave } of subjects.values()) {
      const { of, own } = streams.get(stream) as Stream;
      yield { of, own, leave };
    }
  }

  return {
    open(number, { of, own }) {
      streams.set(number, { of, own, closed: false, subjects: 0 });
    },
    get: (number) => streams.get(number),
    close(number) {
      const stream = streams.get(number);
      if (stream === undefined) return;
      stream.closed = true;
      if (stream.subjects === 0) streams.delete(number);
    },
    answered(number, answer) {
      const stream = streams.get(number);
      const leave = stream && leaveOf(answer, stream.own);
      if (stream !== undefined && leave !== undefined) put(number, stream, leave.id, leave);
    },
    opens(number, sessionId) {
      const stream = streams.get(number);
      if (stream !== undefined) put(number, stream, keyOf(stream.of, sessionId), leaveOfSession(stream, sessionId));
    },
    said(number, about, news) {
      if (!ENDS.has(news.kind) && !holdsNothing(news)) return;
      const stream = streams.get(number);
      const isSession = news.kind === "displaced" && news.reason === "SESSION_DISPLACED";
      detach(number, isSession && stream !== undefined ? keyOf(stream.of, about) : about);
    },
    left(number, leave) {
      const stream = streams.get(number);
      if (stream === undefined) return;
      detach(number, leave.kind === "leave-session" ? keyOf(stream.of, leave.sessionId) : leave.id);
    },
    all: () => streams.values(),
    subjects: left,
    clear() {
      streams.clear();
      subjects.clear();
    },
  };
}

/** Returns how that is left which an answer has put under a stream; undefined: it has put nothing there. */
export function leaveOf(answer: AnyAnswer, stream: StreamId): Exclude<LeaveAsk, { kind: "leave-session" }> | undefined {
  const leave = { kind: "leave", stream, how: "lost" } as const;
  const leavePull = { kind: "leave-pull", stream, how: "lost", unheard: false } as const;
  switch (answer.kind) {
    case "waiting":
      return { ...leave, id: answer.waiterId };
    case "granted":
      return answer.held ? { ...leave, id: answer.lease.id } : undefined;
    case "pull-waiting":
      return { ...leavePull, id: answer.pullId };
    case "pulled":
      return answer.workId === undefined ? undefined : { ...leavePull, id: answer.workId };
    default:
      return undefined;
  }
}

function leaveOfSession({ of, own }: OwnStream, sessionId: string): LeaveAsk {
  const leave = { kind: "leave-session", sessionId, stream: own, how: "lost" } as const;
  return of === "limiters" ? leave : { ...leave, unheard: [] };
}

/** A session may have a stream at both engines. */
function keyOf(of: Of, sessionId: string): string {
  return `${of} ${sessionId}`;
}

/** News after which nothing of what they are about is under the stream. */
const ENDS: ReadonlySet<string> = new Set(["refused", "ended", "displaced", "work-over"]);

function holdsNothing(news: AnyNews): boolean {
  return (news.kind === "granted" && !news.held) || (news.kind === "pulled" && news.workId === undefined);
}
