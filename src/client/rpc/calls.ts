/** The contract's calls over a transport, each bounded in time, with the client's errors for the transport's. */

import type { DescService } from "@bufbuild/protobuf";
import {
  type CallOptions,
  createClient as createRpcClient,
  type Client as RpcClient,
  type Transport,
} from "@connectrpc/connect";
import {
  AdmissionError,
  ServerError,
  ServerUnavailableError,
  TooManyStreamsError,
  type UnavailableInit,
} from "../api/errors.ts";
import { AdmissionService } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { BoardService } from "../gen/ggen/backpressure/v1/board_service_pb.ts";
import { toClientError } from "../wire/error.ts";
import { wholeTimeout } from "../wire/time.ts";
import type { Availability } from "./availability.ts";
import { withCheckedTimeouts, withRefusedCallsAgain } from "./checked-transport.ts";
import type { Clock } from "./clock.ts";
import { linkSignals } from "./linked-signal.ts";
import { within } from "./within.ts";

export interface Calls {
  readonly admission: RpcClient<typeof AdmissionService>;
  /** Returns the calls of another service. The caller brings its description, which a page may load late. */
  of<S extends DescService>(service: S): RpcClient<S>;
  /** ms for the server to say something: to answer a unary call, to say its first word on a stream. */
  readonly answerWithin: number;
  /** Makes a call with one answer. What it throws comes as the client's error. */
  unary<T>(make: UnaryCall<T>, options?: UnaryOptions): Promise<T>;
  /** The server has said something on a stream. */
  heard(): void;
  /** The client's error for what a stream threw; its own errors as they are. */
  toError(thrown: unknown): Error;
  /** The error for a server that does not do what a living one does. */
  unavailable(detail: string, init?: UnavailableInit): ServerUnavailableError;
}

/** With those of boards, which their part alone brings. */
export interface BoardCalls extends Calls {
  readonly board: RpcClient<typeof BoardService>;
}

/** Makes the call with these options: the deadline, and a signal that aborts with it or with the caller's. */
export type UnaryCall<T> = (options: CallOptions & { readonly timeoutMs: number }) => Promise<T>;

export interface UnaryOptions {
  /** ms for the answer. Default `answerWithin`. */
  readonly within?: number;
  /** Aborting it cancels the call. */
  readonly signal?: AbortSignal;
}

/** ms for the server to answer, where the caller has not chosen: a server that lives answers sooner, whatever it answers. */
export const ANSWER_WITHIN = 2000;

export interface CallsOptions {
  readonly transport: Transport;
  /** Where the server is, for error messages. */
  readonly address: string;
  readonly clock: Clock;
  readonly answerWithin: number;
  readonly availability: Pick<Availability, "heard">;
  /** What to do about a connection that failed, where that is known. */
  readonly adviceOf?: ((thrown: unknown) => string | undefined) | undefined;
}

export function createCalls(options: CallsOptions): Calls {
  const { transport, address, clock, answerWithin, availability, adviceOf } = options;
  const checked = withCheckedTimeouts(withRefusedCallsAgain(transport));
  const toError = (thrown: unknown) => (isOwn(thrown) ? thrown : toClientError(thrown, address, adviceOf));
  const unavailable: Calls["unavailable"] = (detail, init) => new ServerUnavailableError(address, detail, init);

  /** Rejects when the time is over, whatever the transport does: some wait for a connection and heed no deadline. */
  async function bounded<T>(make: UnaryCall<T>, { within: time = answerWithin, signal }: UnaryOptions): Promise<T> {
    const timeoutMs = wholeTimeout(time);
    const linked = linkSignals(signal);
    try {
      return await within(clock, timeoutMs, make({ timeoutMs, signal: linked.signal }), () => {
        linked.abort();
        throw unavailable(`it has not answered within ${timeoutMs} ms`);
      });
    } finally {
      linked.unlink();
    }
  }

  return {
    admission: createRpcClient(AdmissionService, checked),
    of: (service) => createRpcClient(service, checked),
    answerWithin,
    async unary(make, options = {}) {
      try {
        const answer = await bounded(make, options);
        availability.heard();
        return answer;
      } catch (thrown) {
        const error = toError(thrown);
        // A refusal is an answer, too.
        if (error instanceof AdmissionError || error instanceof ServerError) availability.heard();
        throw error;
      }
    },
    heard: () => availability.heard(),
    toError,
    unavailable,
  };
}

function isOwn(thrown: unknown): thrown is Error {
  return thrown instanceof ServerUnavailableError || thrown instanceof TooManyStreamsError;
}
