/** Handles that were forgotten: their leases are released as best they can be, and the developer is told. */

import type { Lease, WorkOutcome } from "./lease.ts";
import type { Platform } from "./ports.ts";

/** What a handle stands for, which outlives it. */
export interface Guarded {
  readonly grant: Pick<Lease, "id" | "claims">;
  release(outcome: WorkOutcome): Promise<unknown>;
}

export interface LeakGuard {
  /** Looks after what a handle stands for; `site` is the stack of who acquired it. */
  watch(handle: WeakKey, guarded: Guarded, site: string): void;
  /** The handle was used as it should be. */
  forget(guarded: Guarded): void;
}

export function createLeakGuard(warn: Platform["warn"]): LeakGuard {
  const registry = new FinalizationRegistry<{ readonly guarded: Guarded; readonly site: string }>(
    ({ guarded, site }) => {
      const names = guarded.grant.claims.map(({ limiter }) => limiter).join(", ");
      warn(
        `a lease on ${names} (${guarded.grant.id}) was collected as garbage before it was released; hold it with ` +
          "`await using`, or call release()",
        site,
      );
      void guarded.release("ignored");
    },
  );
  return {
    watch: (handle, guarded, site) => registry.register(handle, { guarded, site }, guarded),
    forget: (guarded) => registry.unregister(guarded),
  };
}
