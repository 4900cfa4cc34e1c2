/** A limiter of the service as an `AdmissionController`. */

import type { AdmissionController } from "../api/admission-controller.ts";
import type { Client } from "../api/client.ts";
import type { Limiter } from "../api/limiter.ts";

export function createController(client: Client, limiter: string, key: string | undefined): AdmissionController {
  const read = () => client.limiters.get(limiter, { key });

  function capacityOf({ maxConcurrent, keyed, status }: Limiter): number {
    if (maxConcurrent === undefined) return Number.POSITIVE_INFINITY;
    // A key that is not in use has no count of its own yet, but as much room as any.
    return keyed && key === undefined ? status.permitsLimit : maxConcurrent;
  }

  return {
    acquire: (options) => client.acquire(limiter, { ...options, key }),
    tryAcquire: (options) => client.tryAcquire(limiter, { ...options, key }),
    async utilization() {
      const found = await read();
      const capacity = capacityOf(found);
      return capacity === 0 ? 0 : found.status.permitsInUse / capacity;
    },
    capacity: async () => capacityOf(await read()),
    inFlight: async () => (await read()).status.permitsInUse,
  };
}
