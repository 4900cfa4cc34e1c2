/** The package's client over the carrier of the run. */

import { type Client, type ConnectOptions, connect as connectOver } from "../../src/client/index.ts";
import { carrier } from "./carrier.ts";

export function connect(address: string, options: ConnectOptions = {}): Client {
  return connectOver(address, { sessions: carrier === "sessions", ...options });
}
