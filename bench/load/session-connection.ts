/**
 * A session of SessionService over grpc-js, by bytes: what is asked in one turn of the event loop leaves as one message, as the
 * server answers. Its client keeps nothing but what it waits for.
 */

import { Client, credentials } from "@grpc/grpc-js";
import { bytesField, bytesOf, readFields, stringField, varintField } from "./protobuf.ts";

export interface SessionConnection {
  /** Resolves when the server has opened the session; rejects with the status if it does not. */
  readonly opened: Promise<void>;
  /**
   * Asks for a lease. `request`: the bytes of an AcquireRequest. Calls back with the lease's id once it is granted; `placed` is
   * called each time when its place in the queue is said.
   */
  acquire(request: Uint8Array, ended: (answer: SessionAnswer) => void, placed?: () => void): void;
  /** The same without waiting. `request`: the bytes of a TryAcquireRequest. */
  tryAcquire(request: Uint8Array, ended: (answer: SessionAnswer) => void): void;
  release(leaseId: string, ended: (answer: SessionAnswer) => void): void;
  close(): void;
}

export type SessionAnswer =
  | { readonly kind: "granted"; readonly leaseId: string }
  | { readonly kind: "released" }
  | { readonly kind: "failed" };

export const SESSION_PATH = "/ggen.backpressure.v1.SessionService/Session";

/** The fields of session_service.proto that a load needs. */
const REQUEST = { open: 1, commands: 2 } as const;
const OPEN = { keepOnCancel: 2 } as const;
const COMMAND = { id: 1, acquire: 2, tryAcquire: 3, release: 4 } as const;
const RELEASE = { leaseId: 1 } as const;
const RESPONSE = { answers: 2 } as const;
const ANSWER = { id: 1, waiting: 2, granted: 3, refused: 4, released: 5, failed: 15 } as const;
const GRANTED = { lease: 1 } as const;
const LEASE = { id: 1 } as const;
/** Commands of one message at most, as the contract has it. */
const MOST_COMMANDS = 1_000;

const RELEASED: SessionAnswer = { kind: "released" };
const FAILED: SessionAnswer = { kind: "failed" };
const asIs = (bytes: Buffer) => bytes;
const NOTHING = () => {};

/** The first message of a session. */
export function openMessage(): Buffer {
  return bytesField(REQUEST.open, varintField(OPEN.keepOnCancel, 1));
}

/** Of a message: a command for a lease. `request`: the bytes of an AcquireRequest. */
export function acquireCommand(id: number, request: Uint8Array): Buffer {
  return commandOf(id, bytesField(COMMAND.acquire, request));
}

/** Of a message: a command that releases a lease of the session. */
export function releaseCommand(id: number, leaseId: string): Buffer {
  return commandOf(id, bytesField(COMMAND.release, stringField(RELEASE.leaseId, leaseId)));
}

function commandOf(id: number, command: Buffer): Buffer {
  return bytesField(REQUEST.commands, Buffer.concat([varintField(COMMAND.id, id), command]));
}

type OnAnswer = (id: number, answer: SessionAnswer) => void;

/** Calls back with each answer of a message that is a command's last, and its id; `onPlace` with the id of one that waits. */
export function readAnswers(message: Buffer, onAnswer: OnAnswer, onPlace: (id: number) => void = NOTHING): void {
  readFields(message, (field, _, content) => {
    if (field === RESPONSE.answers && content !== undefined) readAnswer(content, onAnswer, onPlace);
  });
}

function readAnswer(bytes: Buffer, onAnswer: OnAnswer, onPlace: (id: number) => void): void {
  let id = 0;
  let answer: SessionAnswer | undefined;
  let waits = false;
  readFields(bytes, (field, value, content) => {
    if (field === ANSWER.id) id = value;
    else if (field === ANSWER.waiting) waits = true;
    else if (field === ANSWER.granted) answer = { kind: "granted", leaseId: leaseIdOf(content) };
    else if (field === ANSWER.released) answer = RELEASED;
    else if (field === ANSWER.refused || field === ANSWER.failed) answer = FAILED;
  });
  if (answer !== undefined) onAnswer(id, answer);
  else if (waits) onPlace(id);
}

/** `address`: host:port. Each session has a connection of its own. */
export function openSession(address: string): SessionConnection {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const call = client.makeBidiStreamRequest(SESSION_PATH, asIs, asIs);
  const opening = Promise.withResolvers<void>();
  const waiting = new Map<number, (answer: SessionAnswer) => void>();
  const placedOf = new Map<number, () => void>();
  // An id is free again with its answer, so that a session with one command in flight asks in the same bytes each time.
  const freeIds: number[] = [];
  let ids = 0;
  let isOver = false;
  let unsent: Buffer[] = [];

  function ask(command: (id: number) => Buffer, ended: (answer: SessionAnswer) => void, placed?: () => void): void {
    if (isOver) {
      queueMicrotask(() => ended(FAILED));
      return;
    }
    const id = freeIds.pop() ?? nextId();
    waiting.set(id, ended);
    if (placed !== undefined) placedOf.set(id, placed);
    if (unsent.length === 0) setImmediate(flush);
    unsent.push(command(id));
  }

  function nextId(): number {
    ids += 1;
    return ids;
  }

  function flush(): void {
    const commands = unsent;
    unsent = [];
    for (let at = 0; at < commands.length; at += MOST_COMMANDS) {
      call.write(Buffer.concat(commands.slice(at, at + MOST_COMMANDS)));
    }
  }

  function takeAnswer(id: number, answer: SessionAnswer): void {
    const ended = waiting.get(id);
    if (ended === undefined) return;
    waiting.delete(id);
    if (placedOf.size > 0) placedOf.delete(id);
    freeIds.push(id);
    ended(answer);
  }

  function lose(error: Error): void {
    isOver = true;
    opening.reject(error);
    const lost = [...waiting.values()];
    waiting.clear();
    for (const ended of lost) ended(FAILED);
  }

  opening.promise.catch(() => {});
  call.on("data", (message: Buffer) => {
    // The first thing that a server says is that the session is open.
    opening.resolve();
    readAnswers(message, takeAnswer, (id) => placedOf.get(id)?.());
  });
  call.on("error", lose);
  call.on("end", () => lose(new Error("the server has ended the session")));
  call.write(openMessage());
  return {
    opened: opening.promise,
    acquire: (request, ended, placed) => ask((id) => acquireCommand(id, request), ended, placed),
    tryAcquire: (request, ended) => ask((id) => commandOf(id, bytesField(COMMAND.tryAcquire, request)), ended),
    release: (leaseId, ended) => ask((id) => releaseCommand(id, leaseId), ended),
    close() {
      call.cancel();
      client.close();
    },
  };
}

function leaseIdOf(granted: Buffer | undefined): string {
  const lease = granted && bytesOf(granted, GRANTED.lease);
  return (lease && bytesOf(lease, LEASE.id))?.toString("latin1") ?? "";
}
