/** The last hour of a limiter. */

import { useMemo } from "preact/hooks";
import type { Limiter, LimiterSample } from "../../../client/api/limiter.ts";
import { Chart, type ChartLine } from "../../ui/chart.tsx";

export interface HistoryChartsProps {
  readonly points: readonly LimiterSample[];
  readonly limiter: Pick<Limiter, "maxConcurrent">;
}

export function HistoryCharts({ points, limiter: { maxConcurrent } }: HistoryChartsProps) {
  const limits = maxConcurrent !== undefined;
  const { times, queue, flow, wait } = useMemo(() => linesOf(points, limits), [points, limits]);
  if (points.length < 2) {
    return (
      <p class="faint">
        The server notes how a limiter stands every 15 seconds; charts are here after the second time.
      </p>
    );
  }
  return (
    <section aria-labelledby="history">
      <h2 id="history">The last hour</h2>
      <div class="charts">
        <Chart title={limits ? "Permits and waiters" : "Waiters"} times={times} lines={queue} />
        <Chart title="Requests a second" times={times} lines={flow} />
        <Chart title="Oldest wait, in seconds" times={times} lines={wait} />
      </div>
    </section>
  );
}

function linesOf(points: readonly LimiterSample[], limits: boolean) {
  const column = (field: Exclude<keyof LimiterSample, "time">) => points.map((point) => point[field] ?? 0);
  const waiting: ChartLine = { label: "waiting", colour: "--alarm", values: column("waiters") };
  return {
    times: points.map(({ time }) => time),
    queue: limits
      ? [
          { label: "in use", colour: "--accent", filled: true, values: column("permitsInUse") },
          { label: "limit", colour: "--faint", dashed: true, values: column("permitsLimit") },
          waiting,
        ]
      : [waiting],
    flow: [
      { label: "asked", colour: "--faint", dashed: true, values: column("arrivalRate") },
      { label: "granted", colour: "--accent", values: column("admissionRate") },
      { label: "ended", colour: "--calm", values: column("completionRate") },
      { label: "refused", colour: "--alarm", values: column("refusalRate") },
    ],
    wait: [
      { label: "oldest wait", colour: "--alarm", filled: true, values: column("oldestWaitMs").map((ms) => ms / 1_000) },
    ],
  };
}
