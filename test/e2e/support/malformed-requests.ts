/** All requests that are wrong, and the server that they are for. */

import { hold, queue } from "../../support/acquire.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { MALFORMED_ADMISSION } from "./malformed-admission.ts";
import { MALFORMED_LIMITERS } from "./malformed-limiters.ts";
import type { MalformedRequest } from "./malformed-request.ts";

export const MALFORMED_REQUESTS: readonly MalformedRequest[] = [...MALFORMED_ADMISSION, ...MALFORMED_LIMITERS];

export const MALFORMED_FOR = `
limiters:
  - { name: db, max_concurrent: 4 }
  - { name: idle, max_concurrent: 4 }
  - { name: full, max_concurrent: 1, max_waiters: 0 }
  - { name: api, max_rps: 10, burst_size: 5 }
  - { name: tenants, keyed: true, max_concurrent: 2 }`;

/** Holds `db` and `full` whole, and stands in the queue of `db`, so that there is something to be disturbed. */
export async function occupy(client: ContractClient): Promise<void> {
  for (let i = 0; i < 4; i += 1) await hold(client, "db");
  await hold(client, "full");
  await queue(client, "db");
}
