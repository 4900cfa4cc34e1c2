/** What a holder hears when the server goes away. */

/** The server is about to stop. */
export interface DrainingNotice {
  /** When it stops waiting for its leases, by its wall clock. */
  readonly endTime: Date;
}
