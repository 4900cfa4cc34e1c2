/** What the server is, by OpenTelemetry's names: of all that it sends. */

import { hostname } from "node:os";
import { VERSION } from "../version.ts";

export interface Resource {
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** Returns what tells this process from others, and from itself after a restart. */
export function resourceOf(instance: string): Resource {
  return {
    attributes: {
      "service.name": "ggen-backpressure",
      "service.version": VERSION,
      "service.instance.id": instance,
      "host.name": hostname(),
      "process.pid": process.pid,
    },
  };
}
