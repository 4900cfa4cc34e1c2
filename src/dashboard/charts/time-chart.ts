/** Lines over time on a canvas. It comes in a file of its own, when the first chart is shown. */

import uPlot from "uplot";

export interface Line {
  readonly label: string;
  /** A custom property of the page's styles. */
  readonly colour: string;
  readonly dashed?: boolean;
  readonly filled?: boolean;
  /** Points without a line. */
  readonly scattered?: boolean;
  readonly values: readonly number[];
}

export interface ChartData {
  /** s since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
}

export interface Chart {
  update(data: ChartData): void;
  destroy(): void;
}

const HEIGHT = 150;

export function mountChart(place: HTMLElement, first: ChartData): Chart {
  let data = first;
  let plot = draw();
  const sizes = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
  sizes.observe(place);
  // The colours stand on the canvas: they have to be drawn anew.
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => {
    plot.destroy();
    plot = draw();
  };
  scheme.addEventListener("change", redraw);

  function draw(): uPlot {
    const styles = getComputedStyle(document.documentElement);
    const colour = (name: string) => styles.getPropertyValue(name).trim();
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return new uPlot(
      {
        width: Math.max(100, place.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.1)] } },
        axes: [
          { ...axis, space: 60, values: (_, splits) => splits.map(timeOf) },
          { ...axis, size: 55 },
        ],
        series: [
          {},
          ...data.lines.map(({ label, colour: name, dashed = false, filled = false, scattered = false }) => ({
            label,
            stroke: colour(name),
            width: scattered ? 0 : 2,
            points: scattered ? { show: true, size: 6, fill: colour(name) } : { show: false },
            ...(dashed && { dash: [6, 4] }),
            ...(filled && { fill: `color-mix(in srgb, ${colour(name)} 25%, transparent)` }),
          })),
        ],
      },
      columnsOf(data),
      place,
    );
  }

  return {
    update(next) {
      const isSame = next.lines.length === data.lines.length;
      data = next;
      if (isSame) plot.setData(columnsOf(next));
      else redraw();
    },
    destroy() {
      scheme.removeEventListener("change", redraw);
      sizes.disconnect();
      plot.destroy();
    },
  };
}

function columnsOf({ times, lines }: ChartData): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
}

/** `14:02`. */
function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}
