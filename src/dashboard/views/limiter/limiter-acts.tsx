/** What may be done to a limiter: pause it, resume it, change its limits. */

import { useState } from "preact/hooks";
import type { Limiter } from "../../../client/api/limiter.ts";
import { formatCount } from "../../../text/number.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { usePage } from "../../ui/context.ts";
import { LimitsDialog } from "./limits-dialog.tsx";

export interface LimiterActsProps {
  readonly limiter: Limiter;
  readonly onDone: () => void;
}

export function LimiterActs({ limiter, onDone }: LimiterActsProps) {
  const [act, setAct] = useState<"pause" | "limits" | undefined>(undefined);
  const close = () => {
    setAct(undefined);
    onDone();
  };
  if (limiter.state === "deleting") return null;
  return (
    <p class="tools">
      <button type="button" onClick={() => setAct("pause")}>
        {limiter.paused ? "Resume" : "Pause"}
      </button>
      <button type="button" onClick={() => setAct("limits")}>
        Change limits
      </button>
      {limiter.declared && (
        <span class="faint">Declared in the server's file: a change here stands until its declaration changes.</span>
      )}
      {act === "pause" && <PauseDialog limiter={limiter} onClose={close} />}
      {act === "limits" && <LimitsDialog limiter={limiter} onClose={close} />}
    </p>
  );
}

function PauseDialog({ limiter, onClose }: { readonly limiter: Limiter; readonly onClose: () => void }) {
  const { rpc } = usePage();
  // What was asked stays what it is, whatever the limiter does meanwhile.
  const [{ paused, name, status }] = useState(limiter);
  const run = async () => {
    await rpc.limiters.updateLimiter({ limiter: { name, paused: !paused }, updateMask: { paths: ["paused"] } });
    return paused ? `${name} grants again.` : `${name} is paused: it grants nothing until it is resumed.`;
  };
  const waiters = formatCount(status.waiters, "waiter");
  return (
    <ActDialog
      title={`${paused ? "Resume" : "Pause"} ${name}`}
      confirm={paused ? "Resume" : "Pause"}
      run={run}
      onClose={onClose}
    >
      <p>
        {paused
          ? `Grants begin again, first come, first served: ${waiters} first.`
          : `Nothing is granted until it is resumed. ${waiters} keep their places, ${formatCount(status.leases, "lease")} go on.`}
      </p>
    </ActDialog>
  );
}
