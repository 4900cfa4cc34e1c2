/** A client over a transport that the caller brings. */

import { assembleClient } from "./assemble.ts";
import type { Client, CreateClientOptions } from "./client.ts";
import { createSystemClock } from "./clock.ts";
import type { Platform } from "./ports.ts";
import { createRandom } from "./random.ts";

export function createClientOn(platform: Platform, options: CreateClientOptions, disconnect = () => {}): Client {
  const { transport, address = "the given transport" } = options;
  const parts = { clock: createSystemClock(), random: createRandom(), platform, transport, address, disconnect };
  return assembleClient(parts, options);
}
