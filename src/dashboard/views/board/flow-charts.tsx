/** How work flows over a board: cumulative flow, how long cards took, and how many were completed a day. */

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Board, FlowSample } from "../../../client/api/board.ts";
import { flowSampleFromWire } from "../../../client/wire/board.ts";
import type { SeenCard } from "../../store/board.ts";
import { createPoll } from "../../store/poll.ts";
import { Chart } from "../../ui/chart.tsx";
import { usePage } from "../../ui/context.ts";

export interface FlowChartsProps {
  readonly board: Board;
  readonly cards: ReadonlyMap<string, SeenCard>;
}

/** ms. */
const PACE = 1_000;
const PATIENCE = 30_000;
const HOUR = 3_600_000;

const COLOURS = ["--accent", "--calm", "--warn", "--alarm", "--faint"];

export function FlowCharts({ board, cards }: FlowChartsProps) {
  const { rpc } = usePage();
  const { name, status } = board;
  const flow = useMemo(() => signal<readonly FlowSample[]>([]), []);
  useEffect(() => {
    const read = async () => {
      const { samples } = await rpc.boards.getFlow({ name });
      flow.value = samples.map(flowSampleFromWire);
    };
    return createPoll({ read, pace: PACE, patience: PATIENCE }).close;
  }, [rpc, name, flow]);
  const samples = flow.value;
  const cumulative = useMemo(() => cumulativeOf(board, samples), [board.etag, samples]);
  const taken = useMemo(() => leadTimes(cards), [cards]);
  const days = status.completedByDay;
  return (
    <section aria-labelledby="flow">
      <h2 id="flow">Flow</h2>
      <div class="charts">
        {samples.length > 1 && <Chart title="Cards that have come so far or further" {...cumulative} />}
        {taken.times.length > 1 && (
          <Chart
            title="Lead time of completed cards, in hours"
            times={taken.times}
            lines={[{ label: "a card", colour: "--accent", scattered: true, values: taken.hours }]}
          />
        )}
        {days.length > 1 && (
          <Chart
            title="Completed a day"
            times={days.map(({ day }) => new Date(`${day}T00:00:00Z`))}
            lines={[{ label: "cards", colour: "--calm", values: days.map(({ count }) => count) }]}
          />
        )}
      </div>
      {samples.length < 2 && (
        <p class="faint">
          The server notes the cards of each stage every minute; the chart is here after the second time.
        </p>
      )}
    </section>
  );
}

/** Of each stage the cards that have come to it or further: between two lines stand the cards of a stage. */
function cumulativeOf({ stages }: Board, samples: readonly FlowSample[]) {
  return {
    times: samples.map(({ time }) => time),
    lines: stages.map(({ name }, index) => ({
      label: name,
      colour: COLOURS[index % COLOURS.length] ?? "--accent",
      values: samples.map(({ cards }) => cards.slice(index).reduce((sum, count) => sum + count, 0)),
    })),
  };
}

function leadTimes(cards: ReadonlyMap<string, SeenCard>) {
  const done = Array.from(cards.values(), ({ card }) => card)
    .filter(({ completeTime }) => completeTime !== undefined)
    .sort((a, b) => Number(a.completeTime) - Number(b.completeTime));
  return {
    times: done.map(({ completeTime }) => completeTime ?? new Date(Number.NaN)),
    hours: done.map(({ ageMs }) => ageMs / HOUR),
  };
}
