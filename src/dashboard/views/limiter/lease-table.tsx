/** Who holds, the longest first. */

import { useState } from "preact/hooks";
import type { LeaseInfo, Limiter } from "../../../client/api/limiter.ts";
import type { OverdueLease } from "../../../explain/overdue.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatCount, formatNumber } from "../../../text/number.ts";
import { CallerMark } from "../../ui/caller-mark.tsx";
import { usePage } from "../../ui/context.ts";
import { RevokeDialog } from "./revoke-dialog.tsx";

export interface LeaseTableProps {
  readonly limiter: Limiter;
  readonly leases: readonly LeaseInfo[];
  readonly overdue: readonly OverdueLease[];
  /** ms by which the server's clock is ahead. */
  readonly ahead: number;
  readonly onDone: () => void;
}

const STATES = { attached: "connected", orphaned: "connection lost", detached: "renews itself" } as const;

export function LeaseTable({ limiter, leases, overdue, ahead, onDone }: LeaseTableProps) {
  const { connection } = usePage();
  const [revoking, setRevoking] = useState<LeaseInfo | undefined>(undefined);
  const now = connection.now.value + ahead;
  const late = new Set(overdue.map(({ lease }) => lease.id));
  const { status, name, keyed } = limiter;
  return (
    <section aria-labelledby="leases">
      <h2 id="leases">{formatCount(status.leases, "lease")} held</h2>
      {leases.length < status.leases && <p class="faint">The first {leases.length}, the longest held first.</p>}
      {leases.length > 0 && (
        <div class="scroller">
          <table class="leases">
            <thead>
              <tr>
                <th scope="col">Holder</th>
                {keyed && <th scope="col">Key</th>}
                <th scope="col" class="number">
                  Permits
                </th>
                <th scope="col" class="number">
                  Held for
                </th>
                <th scope="col">State</th>
                <th scope="col">
                  <span class="unseen">Acts</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {leases.map((lease) => {
                const own = lease.claims.filter((claim) => claim.limiter === name);
                return (
                  <tr key={lease.id} data-lease={lease.id} class={late.has(lease.id) ? "needy" : undefined}>
                    <th scope="row" title={`lease ${lease.id}`}>
                      {lease.holder || <span class="faint">without a name</span>}
                      <CallerMark caller={lease.caller} />
                    </th>
                    {keyed && <td>{own.map(({ key }) => key).join(", ")}</td>}
                    <td class="number">{formatNumber(own.reduce((sum, { permits }) => sum + permits, 0))}</td>
                    <td class="number">{age(lease.grantTime, now)}</td>
                    <td>{stateWords(lease, now)}</td>
                    <td class="number">
                      <button type="button" onClick={() => setRevoking(lease)}>
                        Revoke<span class="unseen"> the lease of {lease.holder || lease.id}</span>
                      </button>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {revoking !== undefined && (
        <RevokeDialog
          lease={revoking}
          limiter={name}
          onClose={() => {
            setRevoking(undefined);
            onDone();
          }}
        />
      )}
    </section>
  );
}

function stateWords({ state, revoking, expireTime }: LeaseInfo, now: number): string {
  const left = expireTime === undefined ? "" : `, ends in ${formatRoughly(Math.max(0, expireTime.getTime() - now))}`;
  return `${revoking ? "asked back" : STATES[state]}${revoking || state === "orphaned" ? left : ""}`;
}

function age(since: Date | undefined, now: number): string {
  return since === undefined ? "–" : formatRoughly(Math.max(0, now - since.getTime()));
}
