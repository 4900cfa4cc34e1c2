/** What a client does by itself, for whoever writes a log. */

/** Switch over `kind`: there may be more of them in a later version. */
export type ClientEvent =
  /**
   * The connection of a lease that is held was lost to `error`, and the client asks for the lease again, now the
   * `attempt`th time (from 1). Until its validity runs out the lease is as good as before.
   */
  | { readonly kind: "resuming"; readonly leaseId: string; readonly attempt: number; readonly error: Error }
  /** The lease has its stream again; its holder has nothing to do. */
  | { readonly kind: "resumed"; readonly leaseId: string; readonly attempt: number };
