/** A client whose calls go by a session with the fake service. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type {
  SessionAnswerSchema,
  SessionCommand,
  SessionRequest,
} from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { type Status, StatusSchema } from "../../../src/client/gen/google/rpc/status_pb.ts";
import { createSessionTransport } from "../../../src/client/session/session-transport.ts";
import { ErrorInfoSchema } from "../../../src/server/gen/google/rpc/error_details_pb.ts";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import { createFixture, type Fixture, type FixtureOptions, granted, VALID_FOR } from "./client-fixture.ts";
import type { FakeSession } from "./fake-service.ts";

export interface SessionFixture extends Fixture {
  /** Whether the process may end, as far as the session goes. */
  isAtRest(): boolean;
}

/** ms for the first session to be opened. */
export const OPEN_WITHIN = 1000;

export function createSessionFixture(options: FixtureOptions = {}): SessionFixture {
  let isAtRest = true;
  const fixture = createFixture({
    ...options,
    over: (transport, clock) =>
      createSessionTransport({
        transport,
        clock,
        defer: (callback) => void setImmediate(callback),
        openWithin: OPEN_WITHIN,
        onRest: (now) => {
          isAtRest = now;
        },
      }),
  });
  return { ...fixture, isAtRest: () => isAtRest };
}

/** The client's side of a session, which the test answers. */
export interface Opened {
  readonly session: FakeSession;
  /** What came with the first message. */
  readonly first: SessionRequest;
  /** Resolves with the next command, in whatever message it comes. */
  next(): Promise<SessionCommand>;
  /** Resolves with the next command, which must be of this kind. */
  nextOf<K extends Kind>(kind: K): Promise<{ readonly id: bigint; readonly value: ValueOf<K> }>;
  answer(id: bigint, answer: MessageInitShape<typeof SessionAnswerSchema>["answer"]): void;
  /** Commands that have arrived and were not taken. */
  readonly untaken: readonly SessionCommand[];
}

type Kind = Exclude<SessionCommand["command"]["case"], undefined>;
type ValueOf<K> = Extract<SessionCommand["command"], { readonly case: K }>["value"];

export const CREDENTIAL = { sessionId: "session-1", secret: "secret of session-1" };

/** The next session that the client opens, before it is answered. */
export async function nextSession({ service }: Pick<Fixture, "service">): Promise<Opened> {
  const session = await service.session.next();
  const first = await session.requests.next();
  const untaken = [...first.commands];

  async function next(): Promise<SessionCommand> {
    while (untaken.length === 0) untaken.push(...(await session.requests.next()).commands);
    return untaken.shift() as SessionCommand;
  }

  return {
    session,
    first,
    next,
    async nextOf<K extends Kind>(kind: K) {
      const { id, command } = await next();
      if (command.case !== kind) throw new Error(`the command is ${command.case}, and not ${kind}`);
      return { id, value: command.value as ValueOf<K> };
    },
    answer: (id, answer) => session.say({ answers: [{ id, answer }] }),
    get untaken() {
      return [...untaken, ...session.requests.untaken.flatMap(({ commands }) => commands)];
    },
  };
}

/** The next session that the client opens, which the server opens, too. */
export async function openSession(fixture: Pick<Fixture, "service">): Promise<Opened> {
  const opened = await nextSession(fixture);
  opened.session.say({ opened: { credential: CREDENTIAL } });
  return opened;
}

/** A grant as a session sends it: without a secret. */
export function grantedInSession(id = "lease-1", options: Parameters<typeof granted>[1] = {}) {
  return granted(id, { ...options, secret: "" });
}

/** A lease that was granted at once, in a session that is opened for it. */
export async function holdInSession(
  fixture: SessionFixture,
  options: Parameters<Fixture["client"]["acquire"]>[1] = {},
) {
  const acquiring = fixture.client.acquire("db", options);
  const opened = await openSession(fixture);
  const { id } = await opened.nextOf("acquire");
  opened.answer(id, { case: "granted", value: grantedInSession() });
  return { lease: await acquiring, ...opened };
}

/** What a renewal of all that the session holds is answered with. */
export function renewedAll(validFor = VALID_FOR) {
  return { case: "renewed" as const, value: { validFor: durationFromMs(validFor) } };
}

/** The status that an error travels as. */
export function statusOf({ code, message, details }: WireError): Status {
  return create(StatusSchema, {
    code,
    message,
    details: details.map(({ desc, value }) => anyPack(desc, create(desc, value))),
  });
}

/** The session has as many open commands as it may. */
export const TOO_MANY_COMMANDS = statusOf(
  new WireError(Code.ResourceExhausted, "too many commands", [
    { desc: ErrorInfoSchema, value: { domain: "ggen.backpressure", reason: "TOO_MANY_COMMANDS" } },
  ]),
);
