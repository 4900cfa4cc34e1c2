/** Examines a server, reached or not. */

import { originOf } from "../../client/transport/node-address.ts";
import { openConnection } from "../session/connection.ts";
import { credentials } from "../session/credentials.ts";
import { failureOf } from "../session/failure.ts";
import { checkBoards } from "./check-boards.ts";
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
    if (reason === "BUG") throw error;
    return [checkReach(address, message, await probe(originOf(address), credentials().tls))];
  }
}

function findingsOf(seen: Observations): readonly Finding[] {
  return [...checkServer(seen), ...checkLimiters(seen), ...checkBoards(seen)];
}
