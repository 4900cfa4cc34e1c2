/** Examines a server, reached or not. */

import { createSystemClock } from "../../client/rpc/clock.ts";
import { originOf } from "../../client/transport/node-address.ts";
import { openConnection } from "../session/connection.ts";
import { credentials, shownCredentials } from "../session/credentials.ts";
import { failureOf } from "../session/failure.ts";
import { checkBoards } from "./check-boards.ts";
import { checkCaller } from "./check-caller.ts";
import { checkLimiters } from "./check-limiters.ts";
import { checkReach } from "./check-reach.ts";
import { checkServer } from "./check-server.ts";
import type { Finding } from "./finding.ts";
import type { Observations } from "./observations.ts";
import { type ObserveOptions, observe } from "./observe.ts";
import { probe } from "./probe.ts";

/** Rejects where the address is none. */
export async function examine(options: ObserveOptions): Promise<readonly Finding[]> {
  const { address } = options;
  using connection = await openConnection(address);
  try {
    return findingsOf(await observe(connection, options));
  } catch (error) {
    const { reason, message } = failureOf(error);
    if (reason === "BUG" || reason === "USAGE") throw error;
    const now = createSystemClock().now().wall;
    const caller = checkCaller(address, error, await shownCredentials(), now);
    if (caller !== undefined) return [caller];
    return [checkReach(address, message, await probe(originOf(address), credentials().tls))];
  }
}

function findingsOf(seen: Observations): readonly Finding[] {
  return [...checkServer(seen), ...checkLimiters(seen), ...checkBoards(seen)];
}
