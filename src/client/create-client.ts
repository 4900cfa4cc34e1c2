/** A client over a transport that the caller brings. */

import { assembleClient } from "./assemble.ts";
import type { Client, CreateClientOptions } from "./client.ts";
import { createSystemClock } from "./clock.ts";
import type { Parts } from "./parts.ts";
import type { Platform } from "./platform.ts";
import { createRandom } from "./random.ts";

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
