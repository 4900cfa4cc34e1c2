/** Handles that were forgotten: what they stand for is given back as well as possible, and the developer is warned. */

/** What to say and do when a handle has become garbage. It must not refer to the handle. */
export interface Leak {
  /** What was collected, as in "a lease on db", and how it should have been treated. */
  readonly message: string;
  readonly giveBack: () => void;
}

export interface LeakGuard {
  /** Looks after a handle; `site` is the stack of its acquire or pull. */
  watch(handle: WeakKey, leak: Leak, site: string): void;
  /** The handle was used as it should be. */
  forget(leak: Leak): void;
}

/** `warn` tells the developer; `site` says where the mistake was made. */
export function createLeakGuard(warn: (message: string, site: string) => void): LeakGuard {
  const registry = new FinalizationRegistry<{ readonly leak: Leak; readonly site: string }>(({ leak, site }) => {
    warn(leak.message, site);
    leak.giveBack();
  });
  return {
    watch: (handle, leak, site) => registry.register(handle, { leak, site }, leak),
    forget: (leak) => registry.unregister(leak),
  };
}
