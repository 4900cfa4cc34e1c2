/** A client over a transport that the caller brings. */

import type { Client, CreateClientOptions } from "./api/client.ts";
import { assembleClient } from "./assemble.ts";
import type { Parts } from "./resources/parts.ts";
import { createSystemClock } from "./rpc/clock.ts";
import { createRandom } from "./rpc/random.ts";
import type { Platform } from "./transport/platform.ts";

/** What differs with the place where the client runs. */
export interface Place {
  readonly platform: Platform;
  readonly parts: Parts;
}

export function createClientOn(place: Place, options: CreateClientOptions, disconnect = () => {}): Client {
  const { transport, address = "the given transport" } = options;
  const own = { clock: createSystemClock(), random: createRandom() };
  return assembleClient({ ...own, ...place, transport, address, disconnect }, options);
}
