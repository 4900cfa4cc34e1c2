/** What happens to a call before its handler and after it, whichever wire it came over. */

import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type { Code } from "@connectrpc/connect";
import type { Log } from "../../log.ts";
import type { RpcService } from "../../service/rpc.ts";
import { internalError, invalidRequest, WireError } from "../../wire/error-wire.ts";
import { violationsByRules, violationsOf } from "../../wire/validate.ts";
import { nameOf } from "./method-paths.ts";

export interface Dispatcher {
  /** Writes to the debug log that a call has come; to be called once for each. */
  began(method: DescMethod): void;
  /** Throws `invalidRequest` where a message breaks a rule of the contract. */
  check(method: DescMethod, message: Message): void;
  /** Returns what the caller hears of something that was thrown. A refusal is logged as below, a bug whole, as an error. */
  errorOf(method: DescMethod, thrown: unknown): WireError;
  /** Writes to the debug log why a call is refused. `method`: the path of one that is none of the contract's. */
  refused(method: DescMethod | string, no: RefusedCall): void;
}

export interface RefusedCall {
  readonly code?: Code;
  /** HTTP's, where that is all that the answer says. */
  readonly status?: number;
  readonly message: string;
}

/** Checks every request type once, since the first use of a type compiles its rules, which takes tens of ms. */
export function createDispatcher(services: readonly RpcService[], log: Log): Dispatcher {
  for (const { descriptor } of services) {
    for (const { input } of descriptor.methods) violationsByRules(input, create(input));
  }

  // Calls pass here by the thousand a second: a line that is not written is not put together.
  function refused(method: DescMethod | string, { code, status, message }: RefusedCall): void {
    if (!log.isDebugging) return;
    const name = typeof method === "string" ? method.replace(/^\//, "") : nameOf(method);
    log.debug({ method: name, code, status, error: message }, "a call is refused");
  }

  const unchecked = new Set(
    services.flatMap(({ descriptor, checksItself }) => (checksItself ? descriptor.methods : [])),
  );

  return {
    began(method) {
      if (log.isDebugging) log.debug({ method: nameOf(method) }, "a call");
    },
    check(method, message) {
      if (unchecked.has(method)) return;
      const violations = violationsOf(method.input, message);
      if (violations.length > 0) throw invalidRequest(violations);
    },
    errorOf(method, thrown) {
      if (thrown instanceof WireError) {
        refused(method, thrown);
        return thrown;
      }
      log.error({ err: thrown, method: nameOf(method) }, "a call failed for a reason that is no caller's");
      return internalError();
    },
    refused,
  };
}
