/** Streams that a session carries as commands, answers and notices: of what waits, and of what is held. */

import { create } from "@bufbuild/protobuf";
import { CancelCommandSchema, type SessionRenewed } from "../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Answer, Asker, Command, CommandTrace } from "./commands.ts";
import { aborted, ELSEWHERE } from "./errors.ts";
import { createEventQueue, type EventQueue } from "./event-queue.ts";
import type { Member, Members } from "./members.ts";
import type { Session } from "./session.ts";

export interface StreamPorts<G, E> {
  readonly session: Session;
  readonly members: Pick<Members<G, E>, "get" | "attach">;
  /** Ends a member that the client does not use. */
  readonly giveBack: (member: Member<G, E>) => void;
}

/** What is done with a stream that the session does not carry. */
export type Elsewhere<E> = (events: EventQueue<E>) => void;

export interface WaitOptions<G, E> {
  readonly command: Command;
  readonly signal: AbortSignal | undefined;
  readonly trace: CommandTrace | undefined;
  /** Says an answer on the stream. Returns what is held from then on. */
  readonly hear: (answer: Answer, events: EventQueue<E>) => Member<G, E> | undefined;
  readonly elsewhere: Elsewhere<E>;
}

/** Waits, and then holds what is granted. */
export function openWait<G, E>(ports: StreamPorts<G, E>, options: WaitOptions<G, E>): EventQueue<E> {
  const { session } = ports;
  const { command, signal, trace, hear, elsewhere } = options;
  const events = createEventQueue<E>();
  let held: Member<G, E> | undefined;
  const asker: Asker = {
    onAnswer(answer) {
      held = hear(answer, events);
    },
    onFailed(error) {
      if (error === ELSEWHERE) elsewhere(events);
      else events.end(error);
    },
  };
  const id = session.submit(command, asker, trace);
  onAbort(signal, (abortedSignal) => {
    events.end(aborted(abortedSignal));
    if (held !== undefined) detach(ports, held, events);
    else if (session.forget(id)) session.submit(cancelOf(id), NO_ASKER);
  });
  return events;
}

export interface ResumeOptions<G, E> {
  readonly key: string;
  readonly signal: AbortSignal | undefined;
  /** Says on the stream what is held, which the renewal has confirmed. */
  readonly confirm: (grant: G, renewed: SessionRenewed, events: EventQueue<E>) => void;
  /** It does not live in the session. */
  readonly otherwise: Elsewhere<E>;
}

/** Holds again what a lost session had held. The session is taken up once for all that it holds. */
export function openResume<G, E>(ports: StreamPorts<G, E>, options: ResumeOptions<G, E>): EventQueue<E> {
  const { session, members } = ports;
  const { key, signal, confirm, otherwise } = options;
  const events = createEventQueue<E>();
  let held: Member<G, E> | undefined;
  session.renew({
    onAnswer(answer) {
      if (signal?.aborted || answer.case !== "renewed") return;
      const member = members.get(key);
      if (member?.state.kind !== "living" || member.grant === undefined) {
        otherwise(events);
        return;
      }
      held = member;
      members.attach(member, events);
      confirm(member.grant, answer.value, events);
    },
    onFailed(error) {
      if (error === ELSEWHERE) otherwise(events);
      else events.end(error);
    },
  });
  onAbort(signal, (abortedSignal) => {
    events.end(aborted(abortedSignal));
    if (held !== undefined) detach(ports, held, events);
  });
  return events;
}

/** What is bound to its stream ends with it; anything else lives on for its ttl. */
function detach<G, E>({ session, members, giveBack }: StreamPorts<G, E>, member: Member<G, E>, events: EventQueue<E>) {
  if (member.stream !== events) return;
  members.attach(member, undefined);
  if (member.ttl === 0) giveBack(member);
  session.look();
}

function onAbort(signal: AbortSignal | undefined, listener: (signal: AbortSignal) => void): void {
  if (signal === undefined) return;
  if (signal.aborted) listener(signal);
  else signal.addEventListener("abort", () => listener(signal), { once: true });
}

function cancelOf(commandId: bigint): Command {
  return { case: "cancel", value: create(CancelCommandSchema, { commandId }) };
}

/** Nothing depends on the answer. */
const NO_ASKER: Asker = { onAnswer: () => {}, onFailed: () => {} };
