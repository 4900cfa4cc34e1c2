/** Changes the limits of a limiter, and says before what will come of it. */

import { useState } from "preact/hooks";
import type { Limiter } from "../../../client/api/limiter.ts";
import { changesToWire, limiterFromWire } from "../../../client/wire/limiter.ts";
import { changesOf, fieldsOf, type LimitFields, previewOf, rateText } from "../../model/limit-change.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { usePage } from "../../ui/context.ts";

const FIELDS: readonly { readonly name: keyof LimitFields; readonly label: string; readonly hint: string }[] = [
  { name: "maxConcurrent", label: "Concurrency limit", hint: "permits; empty: none" },
  { name: "rate", label: "Rate limit", hint: "such as 50/s or 10/m; empty: none" },
  { name: "burstSize", label: "Burst", hint: "tokens; empty: what 50 ms bring" },
  { name: "maxWaiters", label: "Waiters at most", hint: "empty: 10,000" },
];

export function LimitsDialog({ limiter, onClose }: { readonly limiter: Limiter; readonly onClose: () => void }) {
  const { rpc } = usePage();
  // As it stood when the form was opened: its etag sees to it that no other change is undone.
  const [opened] = useState(limiter);
  const [typed, setTyped] = useState(fieldsOf(opened));
  const { name, etag } = opened;
  const plan = planOf({ ...opened, status: limiter.status }, typed);
  const run = async () => {
    const { limiter: values, paths } = changesToWire(changesOf(opened, typed));
    const answer = await rpc.limiters.updateLimiter({ limiter: { ...values, name, etag }, updateMask: { paths } });
    return `${name} is changed: ${limitsText(limiterFromWire(answer.limiter))}. It holds from the next grant.`;
  };
  return (
    <ActDialog
      title={`Change the limits of ${name}`}
      confirm="Change"
      isReady={plan.isReady}
      run={run}
      onClose={onClose}
    >
      <div class="fields">
        {FIELDS.map(({ name: field, label, hint }) => (
          <label key={field}>
            {label}
            <input
              value={typed[field]}
              aria-describedby={`hint-${field}`}
              onInput={({ currentTarget }) => setTyped({ ...typed, [field]: currentTarget.value })}
            />
            <small id={`hint-${field}`}>{hint}</small>
          </label>
        ))}
      </div>
      <div role="status" class="preview">
        {plan.words.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
      </div>
    </ActDialog>
  );
}

interface Plan {
  readonly isReady: boolean;
  readonly words: readonly string[];
}

function planOf(limiter: Limiter, typed: LimitFields): Plan {
  try {
    const words = previewOf(limiter, changesOf(limiter, typed));
    return words.length === 0 ? { isReady: false, words: ["Nothing is changed yet."] } : { isReady: true, words };
  } catch (error) {
    return { isReady: false, words: [(error as Error).message] };
  }
}

function limitsText(limiter: Limiter): string {
  const { maxConcurrent, burstSize } = limiter;
  const rate = rateText(limiter);
  return [
    maxConcurrent === undefined ? "no concurrency limit" : `${maxConcurrent} permits`,
    rate === "" ? "no rate limit" : `${rate} with bursts of ${burstSize}`,
  ].join(", ");
}
