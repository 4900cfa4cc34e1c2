/** What happens to a call before its handler and after it, whichever wire it came over. */

import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type { Log } from "../log.ts";
import type { RpcService } from "../service/rpc.ts";
import { internalError, invalidRequest, WireError } from "../wire/error-wire.ts";
import { violationsOf } from "../wire/validate.ts";
import { nameOf } from "./methods.ts";

export interface Dispatcher {
  /** Notes the call; throws `invalidRequest` where its message breaks a rule of the contract. */
  check(method: DescMethod, message: Message): void;
  /** What the caller is told of something that was thrown, which is noted. A bug is logged whole, and told as nothing but a bug. */
  errorOf(method: DescMethod, thrown: unknown): WireError;
}

/** Checks every request type once, since the first use of a type compiles its rules, which takes tens of ms. */
export function createDispatcher(services: readonly RpcService[], log: Log): Dispatcher {
  for (const { descriptor } of services) {
    for (const { input } of descriptor.methods) violationsOf(input, create(input));
  }
  return {
    check(method, message) {
      log.debug({ method: nameOf(method) }, "a call");
      const violations = violationsOf(method.input, message);
      if (violations.length > 0) throw invalidRequest(violations);
    },
    errorOf(method, thrown) {
      if (thrown instanceof WireError) {
        log.debug({ method: nameOf(method), code: thrown.code, error: thrown.message }, "a call is refused");
        return thrown;
      }
      log.error({ err: thrown, method: nameOf(method) }, "a call failed for a reason that is no caller's");
      return internalError();
    },
  };
}
