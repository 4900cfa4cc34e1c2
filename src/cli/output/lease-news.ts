/** What becomes of a lease that is asked for, reported as it happens. */

import type { WaitingNotice } from "../../client/api/admission-controller.ts";
import type { DrainingNotice, Lease, LeaseEnd, RevokingNotice } from "../../client/api/lease.ts";
import type { Refusal } from "../../client/api/refusal.ts";

export interface LeaseNews {
  waiting(notice: WaitingNotice): void;
  /** `holding`: it is kept, and not given back at once. */
  granted(lease: Lease, holding: boolean): void;
  refused(refusal: Refusal): void;
  revoking(notice: RevokingNotice): void;
  draining(notice: DrainingNotice): void;
  ended(end: LeaseEnd): void;
}

export interface LeaseNewsOptions {
  readonly limiter: string;
  readonly verbose: boolean;
}
