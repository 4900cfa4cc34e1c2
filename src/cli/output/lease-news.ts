/** What becomes of a lease that is asked for, reported as it happens. */

import type { WaitingNotice } from "../../client/admission-controller.ts";
import type { DrainingNotice } from "../../client/draining-notice.ts";
import type { Lease, LeaseEnd, RevokingNotice } from "../../client/lease.ts";
import type { Refusal } from "../../client/refusal.ts";

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
