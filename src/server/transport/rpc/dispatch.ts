/** What happens to a call before its handler and after it, whichever wire it came over. */

import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type { Code } from "@connectrpc/connect";
import type { Log, LogFields } from "../../log.ts";
import type { Call, CallSpans, RpcService } from "../../service/rpc.ts";
import { internalError, invalidRequest, WireError } from "../../wire/error-wire.ts";
import { violationsByRules, violationsOf } from "../../wire/validate.ts";
import type { RpcSystem, Timed } from "./call-times.ts";
import { nameOf, pathOf } from "./method-paths.ts";

export interface Dispatcher {
  /** A call has come: begins its span, if it is sampled, and writes to the debug log; to be called once for each. */
  began(method: DescMethod, call: Call): void;
  /** Throws `invalidRequest` where the request of a call, which has yet to come to its service, breaks a rule of the contract. */
  checkFirst(method: DescMethod, message: Message, call: Call): void;
  /** The same of a message of a stream that its service has. */
  check(method: DescMethod, message: Message): void;
  /** A call is refused that has yet to come to its service. */
  refusedFirst(method: DescMethod, error: WireError, call: Call): void;
  /** Returns what the caller hears of something that was thrown. A refusal is logged as below, a bug whole, as an error. */
  errorOf(method: DescMethod, thrown: unknown, call: Call): WireError;
  /** Writes to the debug log why a call is refused. */
  refused(method: DescMethod, no: RefusedCall, call: Call): void;
  /** A request is refused before it has come to a method: counts it, if it is a call, and writes that to the debug log. */
  refusedEarly(request: EarlyRequest, no: RefusedCall): void;
}

/** A request that nothing is known of but its headers. */
export interface EarlyRequest {
  readonly path: string;
  readonly system: RpcSystem;
  readonly arrivedAt: number;
}

export interface RefusedCall {
  /** Undefined: the request is no call. */
  readonly code?: Code | undefined;
  /** HTTP's, where that is all that the answer says. */
  readonly status?: number;
  readonly message: string;
}

export interface DispatcherOptions extends Timed {
  readonly services: readonly RpcService[];
  readonly log: Log;
  readonly spans?: CallSpans | undefined;
  /** Hears of each call that is refused with an error of the contract. */
  readonly onRefused?: ((error: WireError) => void) | undefined;
}

const NOTHING = () => {};

/** Checks every request type once, since the first use of a type compiles its rules, which takes tens of ms. */
export function createDispatcher({ services, times, log, spans, onRefused = NOTHING }: DispatcherOptions): Dispatcher {
  for (const { descriptor } of services) {
    for (const { input } of descriptor.methods) violationsByRules(input, create(input));
  }

  // Calls pass here by the thousand a second: a line that is not written is not put together.
  function refused(method: DescMethod, no: RefusedCall, call: Call): void {
    if (no instanceof WireError) onRefused(no);
    if (log.isDebugging) sayRefused(nameOf(method), no, call);
  }

  function refusedEarly({ path, system, arrivedAt }: EarlyRequest, no: RefusedCall): void {
    if (no instanceof WireError) onRefused(no);
    if (no.code !== undefined) times.refused(methods.get(path), system, no.code, arrivedAt);
    if (log.isDebugging) sayRefused(path.replace(/^\//, ""), no);
  }

  function sayRefused(method: string, { code, status, message }: RefusedCall, call?: Call): void {
    log.debug({ event: "call-refused", method, code, status, error: message, ...traceOf(call) }, "a call is refused");
  }

  function check(method: DescMethod, message: Message): void {
    if (unchecked.has(method)) return;
    const violations = violationsOf(method.input, message);
    if (violations.length > 0) throw invalidRequest(violations);
  }

  const methods = new Map(
    services.flatMap(({ descriptor }) => descriptor.methods.map((method) => [pathOf(method), method] as const)),
  );
  // Health and reflection are asked by machines, all the time.
  const aside = new Set(services.flatMap((service) => (service.aside ? service.descriptor.methods : [])));
  const unchecked = new Set(
    services.flatMap(({ descriptor, checksItself }) => (checksItself ? descriptor.methods : [])),
  );

  return {
    began(method, call) {
      if (spans !== undefined && !aside.has(method)) call.span = spans.begin(call);
      if (log.isDebugging) log.debug({ event: "call", method: nameOf(method), ...traceOf(call) }, "a call");
    },
    check,
    checkFirst(method, message, call) {
      try {
        check(method, message);
      } catch (thrown) {
        if (thrown instanceof WireError) spans?.refused(method, call, thrown);
        throw thrown;
      }
    },
    refusedFirst: (method, error, call) => spans?.refused(method, call, error),
    errorOf(method, thrown, call) {
      if (thrown instanceof WireError) {
        refused(method, thrown, call);
        return thrown;
      }
      log.error(
        { event: "call-fault", err: thrown, method: nameOf(method), ...traceOf(call) },
        "a call failed for a reason that is no caller's",
      );
      return internalError();
    },
    refused,
    refusedEarly,
  };
}

/** What a line of the log says of a call that is sampled. */
function traceOf(call: Call | undefined): LogFields | undefined {
  const context = call?.span?.context;
  return context && { trace_id: context.traceId, span_id: context.spanId };
}
