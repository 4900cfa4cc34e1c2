/** What was counted of calls, as tests compare it. */

import { type CallTimes, statusName } from "../../../../src/server/transport/rpc/call-times.ts";

/** How many calls ended, by protocol, method and status. */
export function endedOf(times: CallTimes): Record<string, number> {
  const ended = times.read().ended.map(({ system, method, code, times: { counts } }) => {
    const name = `${system} ${method.split("/").at(-1)} ${statusName(code)}`;
    return [name, counts.reduce((a, b) => a + b, 0)] as const;
  });
  return Object.fromEntries(ended);
}
