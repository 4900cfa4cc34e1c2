/** One limiter: why it stands as it does, who holds, who waits, and what may be done. */

import { useEffect, useMemo } from "preact/hooks";
import type { Limiter } from "../../../client/api/limiter.ts";
import type { Explanation } from "../../../explain/explanation.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatNumber } from "../../../text/number.ts";
import { rateText } from "../../model/limit-change.ts";
import { createLimiterDetail, type LimiterReading } from "../../store/limiter-detail.ts";
import { usePage } from "../../ui/context.ts";
import { type Figure, Figures } from "../../ui/figures.tsx";
import { StateMark } from "../../ui/marks.tsx";
import { Advice } from "./advice.tsx";
import { HistoryCharts } from "./history-charts.tsx";
import { LeaseTable } from "./lease-table.tsx";
import { LimiterActs } from "./limiter-acts.tsx";
import { WaiterTable } from "./waiter-table.tsx";

export function LimiterPage({ name }: { readonly name: string }) {
  const { rpc, limiters, connection } = usePage();
  const detail = useMemo(() => createLimiterDetail(rpc, name), [rpc, name]);
  useEffect(() => detail.close, [detail]);
  const heard = limiters.byName.get(name);
  const { kind } = connection.liveness.value;
  void limiters.version.value;
  useEffect(() => detail.stir(), [detail, heard, kind]);
  const reading = detail.reading.value;
  if (heard === undefined) {
    return limiters.isWhole.value ? (
      <>
        <h1>{name}</h1>
        <p>There is no limiter of this name now.</p>
      </>
    ) : null;
  }
  const { limiter } = heard;
  return (
    <>
      <h1>{name}</h1>
      {limiter.description !== "" && <p class="faint">{limiter.description}</p>}
      {reading !== undefined && <Reason explanation={reading.explanation} />}
      <Figures figures={figuresOf(limiter)} />
      <LimiterActs limiter={limiter} onDone={detail.stir} />
      {reading !== undefined && <Lists limiter={limiter} reading={reading} onDone={detail.stir} />}
      <HistoryCharts points={detail.history.value} limiter={limiter} />
    </>
  );
}

function Reason({ explanation }: { readonly explanation: Explanation }) {
  const { standing, sentence } = explanation;
  const [, ...rest] = sentence.split(": ");
  return (
    <>
      <p class={`sentence ${standing.state === "stuck" ? "alarming" : ""}`}>
        <StateMark state={standing.state} />: {rest.join(": ")}
      </p>
      <Advice explanation={explanation} />
    </>
  );
}

function Lists(props: { readonly limiter: Limiter; readonly reading: LimiterReading; readonly onDone: () => void }) {
  const { limiter, reading, onDone } = props;
  const { leases, waiters, ahead, explanation } = reading;
  return (
    <div class="side-by-side">
      <LeaseTable limiter={limiter} leases={leases} ahead={ahead} overdue={explanation.overdue} onDone={onDone} />
      <WaiterTable limiter={limiter} waiters={waiters} ahead={ahead} onDone={onDone} />
    </div>
  );
}

function figuresOf(limiter: Limiter): readonly Figure[] {
  const { status, keyed, maxConcurrent } = limiter;
  const figures: Figure[] = [];
  if (maxConcurrent !== undefined) {
    const whole = `${formatNumber(status.permitsInUse)} of ${formatNumber(status.permitsLimit)}`;
    figures.push({ label: "permits in use", value: whole });
  }
  figures.push({ label: "waiting", value: formatNumber(status.waiters) });
  const rate = rateText(limiter);
  if (rate !== "") {
    figures.push({ label: "rate limit", value: rate });
    if (!keyed) figures.push({ label: "tokens now", value: formatNumber(status.tokensAvailable) });
  }
  figures.push(
    { label: "asked a second", value: formatNumber(status.arrivalRate) },
    { label: "λ: granted a second", value: formatNumber(status.admissionRate) },
    { label: "μ: ended a second", value: formatNumber(status.completionRate) },
    { label: "refused a second", value: formatNumber(status.refusalRate) },
    {
      label: "wait, half within",
      value: span(status.waitTimeP50Ms),
      title: "of those granted in the last one to two minutes",
    },
    {
      label: "wait, 99 % within",
      value: span(status.waitTimeP99Ms),
      title: "of those granted in the last one to two minutes",
    },
    { label: "held, on average", value: span(status.meanHoldTimeMs) },
  );
  if (keyed) figures.push({ label: "keys in use", value: formatNumber(status.keys) });
  return figures;
}

function span(ms: number | undefined): string {
  return ms === undefined ? "–" : formatRoughly(ms);
}
