/** A chart with its legend, and the same numbers as a table behind a button. */

import { useEffect, useRef } from "preact/hooks";
import { formatNumber, formatTimeOfDay } from "../../text/number.ts";
import type { Chart as Mounted } from "../charts/time-chart.ts";

export interface ChartLine {
  readonly label: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly filled?: boolean;
  readonly scattered?: boolean;
  readonly values: readonly number[];
}

export interface ChartProps {
  readonly title: string;
  readonly times: readonly Date[];
  readonly lines: readonly ChartLine[];
}

export function Chart({ title, times, lines }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const mounted = useRef<Mounted | undefined>(undefined);
  const data = { times: times.map((time) => time.getTime() / 1000), lines };
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    let over = false;
    void import("../charts/time-chart.ts").then(({ mountChart }) => {
      if (!over && place.current !== null) mounted.current = mountChart(place.current, latest.current);
    });
    return () => {
      over = true;
      mounted.current?.destroy();
    };
  }, []);
  useEffect(() => mounted.current?.update(latest.current), [times, lines]);
  return (
    <figure class="chart">
      <figcaption>
        {title}{" "}
        {lines.map(({ label, colour, dashed = false }) => (
          <span key={label} class="legend">
            <span class={dashed ? "swatch dashed" : "swatch"} style={{ color: `var(${colour})` }} aria-hidden="true" />
            {label}
          </span>
        ))}
      </figcaption>
      <div ref={place} class="canvas" role="img" aria-label={`${title}; the table below has the numbers`} />
      <details>
        <summary>As a table</summary>
        <div class="scroller">
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {lines.map(({ label }) => (
                  <th key={label} scope="col" class="number">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, index) => (
                <tr key={time.getTime()}>
                  <th scope="row">{formatTimeOfDay(time)}</th>
                  {lines.map(({ label, values }) => (
                    <td key={label} class="number">
                      {formatNumber(values[index] ?? 0)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
