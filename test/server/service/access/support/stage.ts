/** All services of a server over real engines, called as a transport calls them, by whichever caller the test says. */

import {
  create,
  createRegistry,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toJsonString,
} from "@bufbuild/protobuf";
import type { AccessEntry } from "../../../../../src/server/access/access-list.ts";
import { ANONYMOUS, type Caller } from "../../../../../src/server/access/caller.ts";
import type { Verb } from "../../../../../src/server/access/rights.ts";
import { parseConfig } from "../../../../../src/server/config/config.ts";
import { createEmbeddedBoardEngine } from "../../../../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../../../../src/server/engine/embedded/embedded-engine.ts";
import type { Noted } from "../../../../../src/server/engine/engine.ts";
import type { ServerState } from "../../../../../src/server/front/front.ts";
import { createServices } from "../../../../../src/server/front/services.ts";
import { createSharedMemory } from "../../../../../src/server/front/shared-memory.ts";
import { GetConfigResponseSchema } from "../../../../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { file_google_rpc_error_details } from "../../../../../src/server/gen/google/rpc/error_details_pb.ts";
import { createSecretKey } from "../../../../../src/server/ids.ts";
import type { BidiStream, RpcMethod, StreamEnd } from "../../../../../src/server/service/rpc.ts";
import { createMemoryStore } from "../../../../../src/server/store/memory-store.ts";
import type { WireError } from "../../../../../src/server/wire/error-wire.ts";
import { callOf } from "../../../../support/call-of.ts";
import { createFakeClock } from "../../../../support/fake-clock.ts";
import { createMemoryLog } from "../../../transport/support/memory-log.ts";

/** What errors carry. */
const DETAILS = createRegistry(file_google_rpc_error_details);

/** What a call came to. */
export interface Heard {
  readonly messages: readonly string[];
  /** The error's reason, or its code where it has none; undefined: it was answered, or the stream is open. */
  readonly reason: string | undefined;
  readonly error: WireError | undefined;
  readonly ended: boolean;
}

/** A stream that is open. */
export interface OpenStream<I, O> {
  readonly heard: Heard;
  readonly received: readonly O[];
  say(message: I): void;
  leave(how: StreamEnd): void;
}

export function callerOf(name: string, about: Partial<Caller> = {}): Caller {
  if (name === ANONYMOUS.name) return ANONYMOUS;
  return { name, kind: "token", tenant: "", groups: [], claims: {}, expiresAt: undefined, ...about };
}

export function entryOf(who: readonly string[], may: readonly Verb[], about: Partial<AccessEntry> = {}): AccessEntry {
  return { who, may, limiters: [], boards: [], keys: [], bounds: undefined, ...about };
}

export function createStage(access?: readonly AccessEntry[], { maxWaiters = 1_000 } = {}) {
  const clock = createFakeClock();
  const store = createMemoryStore();
  const denied: Noted[] = [];
  const engine = {
    ...createEmbeddedEngine({ clock, store, machine: { maxWaiters }, keepsHistory: true }),
    async note(refused: Noted) {
      denied.push(refused);
    },
  };
  const boards = createEmbeddedBoardEngine({ clock, store, limiters: engine });
  const reading = parseConfig("", { path: undefined, overrides: [] });
  if (reading.kind === "invalid") throw new Error("the empty configuration is not valid");
  const stateOf = (list: readonly AccessEntry[] | undefined): ServerState => ({
    serving: true,
    tls: undefined,
    settings: { ...reading.settings, access: list },
    running: create(GetConfigResponseSchema, { config: {} }),
  });
  const { services, show } = createServices({
    clock,
    log: createMemoryLog(),
    engine,
    boards,
    secretKey: createSecretKey(),
    shared: { memory: createSharedMemory(1), own: 0, now: clock.now },
    state: stateOf(access),
    load: () => Promise.reject(new Error("nothing is measured here")),
  });

  function find(method: DescMethod): RpcMethod {
    const service = services.find(({ descriptor }) => descriptor.typeName === method.parent.typeName);
    const found = service?.methods.find(({ descriptor }) => descriptor.localName === method.localName);
    if (found === undefined || found.kind === "unimplemented") throw new Error(`nobody serves ${method.name}`);
    return found;
  }

  /** Calls a method that is answered once; rejects with its error. */
  async function call<I extends DescMethodUnary>(
    method: I,
    request: MessageInitShape<I["input"]>,
    caller: Caller = ANONYMOUS,
  ): Promise<MessageShape<I["output"]>> {
    const found = find(method);
    if (found.kind !== "unary") throw new Error(`${method.name} is no unary method`);
    const answer = found.handle(create(method.input, request), { ...callOf({ caller, peer: "test:1" }), onGone() {} });
    return (await answer) as MessageShape<I["output"]>;
  }

  /** Opens a stream. What is thrown before it has begun is heard as its end, as transports have it. */
  function open<I extends DescMethodServerStreaming | DescMethodBiDiStreaming>(
    method: I,
    request: MessageInitShape<I["input"]> | undefined,
    caller: Caller = ANONYMOUS,
  ): OpenStream<MessageShape<I["input"]>, MessageShape<I["output"]>> {
    const found = find(method);
    const received: MessageShape<I["output"]>[] = [];
    let error: WireError | undefined;
    let ended = false;
    let onMessage: (message: unknown) => void = () => {};
    let onEnd: (how: StreamEnd) => void = () => {};
    const stream: BidiStream<unknown, unknown> = {
      ...callOf({ caller, peer: "test:1" }),
      probed: true,
      send(message) {
        if (!ended) received.push(message as MessageShape<I["output"]>);
        return true;
      },
      onWritable() {},
      end() {
        ended = true;
      },
      fail(thrown) {
        if (ended) return;
        ended = true;
        error = thrown;
      },
      onEnd(listener) {
        onEnd = listener;
      },
      onMessage(listener) {
        onMessage = listener;
      },
      onHalfClose() {},
      pause() {},
      resume() {},
    };
    try {
      if (found.kind === "bidi_streaming") found.handle(stream);
      else if (found.kind === "server_streaming") found.handle(create(method.input, request), stream);
      else throw new Error(`${method.name} is no stream`);
    } catch (thrown) {
      stream.fail(thrown as WireError);
    }
    return {
      get heard() {
        return heardOf(
          received.map((message) => toJsonString(method.output, message, { registry: DETAILS })),
          error,
          ended,
        );
      },
      received,
      say: (message) => onMessage(message),
      leave: (how) => onEnd(how),
    };
  }

  return {
    clock,
    engine,
    boards,
    services,
    denied,
    call,
    open,
    /** The same of any method, for tables: an error is heard, and not thrown. */
    async hear(method: DescMethod, request: object, caller: Caller): Promise<Heard> {
      if (method.methodKind === "unary") {
        try {
          const answer = await call(method as DescMethodUnary, request as Record<string, unknown>, caller);
          return heardOf([toJsonString(method.output, answer, { registry: DETAILS })], undefined, true);
        } catch (error) {
          return heardOf([], error as WireError, true);
        }
      }
      if (method.methodKind === "client_streaming")
        throw new Error(`${method.name} is of a kind that there is none of`);
      const stream = open(method as DescMethodServerStreaming, request as Record<string, unknown>, caller);
      await calm();
      const { heard } = stream;
      stream.leave("cancelled");
      return heard;
    },
    setAccess: (list: readonly AccessEntry[] | undefined) => show(stateOf(list)),
    calm,
  };

  /** Lets what has been asked be answered. */
  async function calm(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(0);
    }
  }
}

export type AccessStage = ReturnType<typeof createStage>;

function heardOf(messages: readonly string[], error: WireError | undefined, ended: boolean): Heard {
  return { messages, reason: error && reasonOf(error), error, ended };
}

function reasonOf(error: WireError): string {
  const [info] = (error.details ?? []) as readonly { readonly value: { readonly reason?: string } }[];
  return info?.value.reason ?? `code ${error.code}: ${error.message}`;
}
