/** A session over plain grpc-js: commands by short names, and what is answered. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import {
  type SessionAnswer,
  type SessionCommandSchema,
  SessionRequestSchema,
  type SessionResponse,
  SessionResponseSchema,
  SessionService,
} from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { fromServiceError } from "../../support/call-failure.ts";

type Init = MessageInitShape<typeof SessionRequestSchema>;
type Command = MessageInitShape<typeof SessionCommandSchema>["command"];

const { session: METHOD } = SessionService.method;
const PATH = `/${METHOD.parent.typeName}/${METHOD.name}`;

/** Opens a stream on a connection of its own, and says nothing yet. */
export function openSession(address: string) {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const call = client.makeBidiStreamRequest(
    PATH,
    (request: Init) => Buffer.from(toBinary(SessionRequestSchema, create(SessionRequestSchema, request))),
    (bytes) => fromBinary(SessionResponseSchema, bytes),
  );
  const responses: SessionResponse[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<ReturnType<typeof fromServiceError> | undefined>();
  let changed = Promise.withResolvers<void>();
  let lastId = 0n;
  call.on("data", (response: SessionResponse) => {
    responses.push(response);
    changed.resolve();
    changed = Promise.withResolvers();
  });
  call.on("error", (error: ServiceError) => {
    end(fromServiceError(error));
    changed.resolve();
  });
  call.on("status", () => end(undefined));
  onTestFinished(() => client.close());

  const answers = () => responses.flatMap((response) => response.answers);

  /** Resolves with the first that `find` finds in what has come, or comes. */
  async function find<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const over = await Promise.race([changed.promise.then(() => false), ended.then(() => true)]);
      if (over && look() === undefined) throw new Error(`the session has ended: ${(await ended)?.message ?? "OK"}`);
    }
  }

  function send(...commands: readonly NonNullable<Command>[]): bigint[] {
    const withIds = commands.map((command) => {
      lastId += 1n;
      return { id: lastId, command };
    });
    call.write({ commands: withIds });
    return withIds.map(({ id }) => id);
  }

  const lastAnswer = (id: bigint) =>
    find(() => answers().find((one) => one.id === id && !PLACES.has(one.answer.case ?? "")));

  return {
    call,
    client,
    responses,
    answers,
    /** How it has ended; undefined: OK. */
    ended,
    find,
    write: (request: Init) => void call.write(request),
    send,
    lastAnswer,
    async open(open: Init["open"] = { keepOnCancel: true }) {
      call.write({ open });
      return find(() => responses.find(({ opened }) => opened)?.opened);
    },
    /** Sends one command, and resolves with its last answer. */
    async ask(command: NonNullable<Command>): Promise<SessionAnswer["answer"]> {
      const [id = 0n] = send(command);
      return (await lastAnswer(id)).answer;
    },
    /** Sends one command, and resolves with its place. */
    async waits(command: NonNullable<Command>): Promise<bigint> {
      const [id = 0n] = send(command);
      await find(() => answers().find((one) => one.id === id && PLACES.has(one.answer.case ?? "")));
      return id;
    },
    notices: () => responses.flatMap((response) => response.notices),
    /** Its stream goes, which is a loss to a session that has promised to release. */
    lose: () => call.cancel(),
  };
}

const PLACES = new Set(["waiting", "pullWaiting"]);

export function acquireOf(limiter: string, about: object = {}) {
  return { case: "acquire" as const, value: { claims: [{ limiter }], ...about } };
}

export function tryAcquireOf(limiter: string, about: object = {}) {
  return { case: "tryAcquire" as const, value: { claims: [{ limiter }], ...about } };
}

export function releaseOf(leaseId: string) {
  return { case: "release" as const, value: { leaseId } };
}

/** The id of the lease that was granted; throws where none was. */
export function leaseOf(answer: SessionAnswer["answer"]): string {
  if (answer.case !== "granted") throw new Error(`not granted: ${answer.case} ${JSON.stringify(answer.value, String)}`);
  return answer.value.lease?.id ?? "";
}
