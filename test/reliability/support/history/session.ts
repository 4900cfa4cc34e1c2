/** The same as commands of one session, with what the session says of its leases. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type SessionAnswer,
  type SessionCommandSchema,
  SessionRequestSchema,
  SessionResponseSchema,
  SessionService,
} from "../../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Connection } from "./connection.ts";
import { micros } from "./history.ts";
import type { Heard, Way } from "./way.ts";

type Init = MessageInitShape<typeof SessionRequestSchema>;
type Command = NonNullable<MessageInitShape<typeof SessionCommandSchema>["command"]>;
type Answer = SessionAnswer["answer"];

/** A lease in the session, and what to do when it is the session's no more. */
type Leases = Map<string, () => void>;

const SESSION = `/${SessionService.typeName}/${SessionService.method.session.name}`;

export interface SessionWayOptions {
  readonly keepOnCancel: boolean;
}

/** Resolves when the session is open. */
export async function bySession(connection: Connection, options: SessionWayOptions): Promise<Way> {
  const opening = Promise.withResolvers<void>();
  const answered = new Map<bigint, (answer: Answer, at: number) => void>();
  const leases: Leases = new Map();
  let lastId = 0n;
  const call = connection.openStream(SESSION, {
    onMessage(bytes) {
      const at = micros();
      const { opened, answers, notices } = fromBinary(SessionResponseSchema, bytes);
      if (opened !== undefined) opening.resolve();
      // What a renewal confirms is what lives after the other news.
      for (const { id, answer } of answers) if (answer.case !== "renewed") answered.get(id)?.(answer, at);
      for (const { subject, notice } of notices) {
        if (subject.case === "leaseId" && notice.case === "ended") over(subject.value);
      }
      for (const { id, answer } of answers) if (answer.case === "renewed") answered.get(id)?.(answer, at);
    },
    onEnd() {
      throw new Error(`the server has ended a session with ${answered.size} commands`);
    },
  });
  const say = (request: Init) => call.send(toBinary(SessionRequestSchema, create(SessionRequestSchema, request)));

  /** `hear` is called until it returns true, at the last answer. */
  function ask(command: Command, hear: (answer: Answer, at: number) => boolean): bigint {
    lastId += 1n;
    const id = lastId;
    answered.set(id, (answer, at) => {
      if (hear(answer, at)) answered.delete(id);
    });
    say({ commands: [{ id, command }] });
    return id;
  }

  function askOnce(command: Command): Promise<Answer> {
    return new Promise((resolve) => {
      ask(command, (answer) => {
        resolve(answer);
        return true;
      });
    });
  }

  function over(leaseId: string): void {
    const onOver = leases.get(leaseId);
    leases.delete(leaseId);
    onOver?.();
  }

  function hold({ value }: Extract<Answer, { case: "granted" }>, at: number, onOver: () => void): Heard {
    const id = value.lease?.id ?? "";
    // An earlier request with the same id has it no more.
    over(id);
    leases.set(id, onOver);
    return { at, granted: value, by: way };
  }

  const way: Way = {
    acquire(init) {
      const heard = Promise.withResolvers<void>();
      const granted = Promise.withResolvers<Heard | undefined>();
      const ended = Promise.withResolvers<void>();
      let queued: number | undefined;
      let lease: Heard | undefined;
      let isUnwanted = false;
      const giveBack = () => void askOnce({ case: "release", value: { leaseId: lease?.granted.lease?.id ?? "" } });
      const sent = micros();
      const id = ask({ case: "acquire", value: init }, (answer, at) => {
        if (answer.case === "waiting") {
          queued ??= at;
        } else if (answer.case === "granted") {
          lease = hold(answer, at, ended.resolve);
          granted.resolve(lease);
          if (holdsNothing(lease)) ended.resolve();
          if (isUnwanted) giveBack();
        } else {
          granted.resolve(undefined);
          ended.resolve();
        }
        heard.resolve();
        return answer.case !== "waiting";
      });
      return {
        sent,
        get queued() {
          return queued;
        },
        answered: heard.promise,
        granted: granted.promise,
        ended: ended.promise,
        cancel() {
          granted.resolve(undefined);
          isUnwanted = true;
          if (lease === undefined) void askOnce({ case: "cancel", value: { commandId: id } });
          else giveBack();
        },
      };
    },

    tryAcquire(init) {
      const lost = Promise.withResolvers<void>();
      const sent = micros();
      return new Promise((resolve) => {
        ask({ case: "tryAcquire", value: init }, (answer, at) => {
          const heard = answer.case === "granted" ? hold(answer, at, lost.resolve) : undefined;
          resolve({ sent, heard, lost: lost.promise });
          return true;
        });
      });
    },

    async renew({ leaseId }) {
      const sent = micros();
      return new Promise((resolve) => {
        ask({ case: "renew", value: {} }, ({ case: said }) => {
          resolve(said === "renewed" && leases.has(leaseId) ? sent : undefined);
          return true;
        });
      });
    },

    async release({ leaseId }) {
      const answer = await askOnce({ case: "release", value: { leaseId } });
      over(leaseId);
      return answer.case === "released" ? answer.value : undefined;
    },

    apart: () => bySession(connection, { keepOnCancel: true }),
    lose: () => call.cancel(),
  };

  say({ open: { keepOnCancel: options.keepOnCancel } });
  await opening.promise;
  return way;
}

/** As with a limiter that has a rate limit alone. */
export function holdsNothing({ granted: { lease } }: Heard): boolean {
  return lease === undefined || lease.claims.every(({ permits }) => permits === 0);
}
