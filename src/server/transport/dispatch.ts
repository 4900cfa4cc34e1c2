/** What happens to a call before its handler and after it, whichever wire it came over. */

import { create, type DescMessage, type DescMethod, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { Log } from "../log.ts";
import type { RpcService } from "../service/rpc.ts";
import { internalError, invalidRequest, WireError } from "../wire/error-wire.ts";
import { nameOf } from "./methods.ts";

export interface Dispatcher {
  /** Throws `invalidRequest` where the message breaks a rule of the contract. */
  check(desc: DescMessage, message: Message): void;
  /** What the caller is told of something that was thrown. A bug is logged whole, and told as nothing but a bug. */
  errorOf(method: DescMethod, thrown: unknown): WireError;
}

const validator = createValidator();

/** Checks every request type once, since the first use of a type compiles its rules, which takes tens of ms. */
export function createDispatcher(services: readonly RpcService[], log: Log): Dispatcher {
  for (const { descriptor } of services) {
    for (const { input } of descriptor.methods) validator.validate(input, create(input));
  }
  return {
    check(desc, message) {
      const result = validator.validate(desc, message);
      if (result.kind === "valid") return;
      if (result.kind === "error") throw result.error;
      throw invalidRequest(
        result.violations.map((violation) => ({
          field: pathToString(violation.field),
          description: violation.message,
          reason: violation.ruleId,
        })),
      );
    },
    errorOf(method, thrown) {
      if (thrown instanceof WireError) return thrown;
      log.error({ err: thrown, method: nameOf(method) }, "a call failed for a reason that is no caller's");
      return internalError();
    },
  };
}
