/** Handles that were forgotten: their leases are released as best they can be, and the developer is told. */

import type { Holding } from "./holding.ts";
import type { Platform } from "./ports.ts";

export interface LeakGuard {
  /** Looks after the holding of a handle; `site` is the stack of who acquired it. */
  watch(handle: WeakKey, holding: Holding, site: string): void;
  /** The handle was used as it should be. */
  forget(holding: Holding): void;
}

export function createLeakGuard(warn: Platform["warn"]): LeakGuard {
  const registry = new FinalizationRegistry<{ readonly holding: Holding; readonly site: string }>(
    ({ holding, site }) => {
      const names = holding.grant.claims.map(({ limiter }) => limiter).join(", ");
      warn(
        `a lease on ${names} (${holding.grant.id}) was collected as garbage before it was released; hold it with ` +
          "`await using`, or call release()",
        site,
      );
      void holding.release("ignored");
    },
  );
  return {
    watch: (handle, holding, site) => registry.register(handle, { holding, site }, holding),
    forget: (holding) => registry.unregister(holding),
  };
}
