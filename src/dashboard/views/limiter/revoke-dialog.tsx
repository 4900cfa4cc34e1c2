/** Asks for a lease back. */

import { useState } from "preact/hooks";
import type { LeaseInfo } from "../../../client/api/limiter.ts";
import { leaseEndFromWire } from "../../../client/wire/lease.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatCount } from "../../../text/number.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { usePage } from "../../ui/context.ts";

export interface RevokeDialogProps {
  readonly lease: LeaseInfo;
  readonly limiter: string;
  readonly onClose: () => void;
}

export function RevokeDialog({ lease, limiter, onClose }: RevokeDialogProps) {
  const { rpc } = usePage();
  const [force, setForce] = useState(false);
  const [message, setMessage] = useState("");
  const holder = lease.holder || `lease ${lease.id}`;
  const own = lease.claims.filter((claim) => claim.limiter === limiter);
  const permits = formatCount(
    own.reduce((sum, claim) => sum + claim.permits, 0),
    "permit",
  );
  const others = lease.claims.filter((claim) => claim.limiter !== limiter).map((claim) => claim.limiter);
  const run = async () => {
    const { end, lease: left } = await rpc.limiters.revokeLease({ leaseId: lease.id, force, message });
    if (left !== undefined)
      return `${holder} was asked for its lease: it ends at its release, or when its ttl has passed.`;
    return `The lease of ${holder} has ended (${leaseEndFromWire(end)}): ${permits} of ${limiter} are free.`;
  };
  return (
    <ActDialog title={`Revoke the lease of ${holder}`} confirm="Revoke" grave={force} run={run} onClose={onClose}>
      <p>
        {force
          ? `Frees ${permits} of ${limiter} now, while the holder may still be at work: another may then work beside it.`
          : `Asks the holder to stop. ${permits} of ${limiter} are free at its release, at the latest ${formatRoughly(lease.ttlMs)} from now.`}
        {others.length > 0 && ` The lease also holds ${others.join(", ")}, which come back with it.`}
      </p>
      <p>
        <label>
          Why, for the holder{" "}
          <input value={message} maxLength={256} onInput={(event) => setMessage(event.currentTarget.value)} />
        </label>
      </p>
      <p>
        <label>
          <input type="checkbox" checked={force} onChange={(event) => setForce(event.currentTarget.checked)} /> Do not
          wait for the holder
        </label>
      </p>
    </ActDialog>
  );
}
