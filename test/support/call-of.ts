/** What a service is told of a call that no transport carries. */

import { ANONYMOUS } from "../../src/server/access/caller.ts";
import type { Call } from "../../src/server/service/rpc.ts";

export function callOf(about: Partial<Call> = {}): Call {
  return { peer: "", timeout: undefined, caller: ANONYMOUS, span: undefined, header: () => undefined, ...about };
}
