/** Pictures of recorded curves and bars, as SVG that needs nothing but a browser. */

import type { Series } from "../support/series.ts";

export interface Axis {
  readonly title: string;
  /** `tail`: percentiles, each nine of them as wide as the one before. */
  readonly scale: "log" | "tail";
}

export interface Bar {
  readonly name: string;
  /** One length for each of the colours that the chart names. */
  readonly parts: readonly number[];
}

const [WIDTH, HEIGHT] = [760, 420];
const PLOT = { left: 96, right: 40, top: 40, bottom: 60 };
const COLOURS = ["#1b6ca8", "#d1495b", "#2e933c", "#8a5a9e", "#c98a1b", "#4d4d4d"];
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';

interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export function lineChart({ title, x, y, series }: Chart): string {
  const shown = series.map(({ name, points }) => ({ name, points: points.filter(([at]) => at > 0) }));
  const across = scaleOf(
    x,
    shown.flatMap(({ points }) => points.map(([at]) => at)),
    [PLOT.left, WIDTH - PLOT.right],
  );
  const up = scaleOf(
    y,
    shown.flatMap(({ points }) => points.map(([, at]) => at)),
    [HEIGHT - PLOT.bottom, PLOT.top],
  );
  const lines = shown.map(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points.map(([at, value]) => `${across.at(at).toFixed(1)},${up.at(value).toFixed(1)}`).join(" ");
    const dots =
      points.length > 12 ? "" : points.map(([at, value]) => dot(across.at(at), up.at(value), colour)).join("");
    const line = `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`;
    return `${line}${dots}${text(WIDTH - PLOT.right - 8, PLOT.top + 16 + i * 16, name, "end", colour)}`;
  });
  const grid = [
    ...across.ticks.map((tick) => {
      const at = across.at(tick);
      return `${rule(at, PLOT.top, at, HEIGHT - PLOT.bottom)}${text(at, HEIGHT - PLOT.bottom + 18, across.label(tick))}`;
    }),
    ...up.ticks.map((tick) => {
      const at = up.at(tick);
      return `${rule(PLOT.left, at, WIDTH - PLOT.right, at)}${text(PLOT.left - 8, at + 4, up.label(tick), "end")}`;
    }),
  ];
  const titles = [
    text(WIDTH / 2, 22, title, "middle", "#111", 15),
    text(WIDTH / 2, HEIGHT - 14, x.title),
    `<g transform="rotate(-90 18 ${HEIGHT / 2})">${text(18, HEIGHT / 2, y.title)}</g>`,
  ];
  return svg(title, HEIGHT, [...grid, ...titles, ...lines]);
}

/** Bars one below the other, each of several parts; `colours`: what the parts are. */
export function barChart(title: string, colours: readonly string[], unit: string, bars: readonly Bar[]): string {
  const [left, row] = [300, 24];
  const most = Math.max(...bars.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0)));
  const perUnit = (WIDTH - left - 90) / most;
  const rows = bars.map(({ name, parts }, i) => {
    const top = 62 + i * row;
    let at = left;
    const boxes = parts.map((part, colour) => {
      const box = `<rect x="${at.toFixed(1)}" y="${top}" width="${(part * perUnit).toFixed(1)}" height="16" fill="${COLOURS[colour]}"/>`;
      at += part * perUnit;
      return box;
    });
    const figures = parts.map((part) => shortOf(part)).join(" + ");
    return `${text(left - 8, top + 13, name, "end")}${boxes.join("")}${text(at + 6, top + 13, `${figures} ${unit}`, "start")}`;
  });
  const legend = colours.map((name, i) => text(left + i * 160, 46, name, "start", COLOURS[i]));
  return svg(title, 80 + bars.length * row, [text(WIDTH / 2, 22, title, "middle", "#111", 15), ...legend, ...rows]);
}

interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
  label(tick: number): string;
}

const TAIL = [50, 90, 99, 99.9, 99.99];

function scaleOf({ scale }: Axis, values: readonly number[], [from, to]: readonly [number, number]): Scale {
  if (scale === "tail") {
    const nines = (percentile: number) => -Math.log10(1 - Math.min(percentile, 99.99) / 100);
    return {
      at: (value) => from + (nines(value) / nines(99.99)) * (to - from),
      ticks: TAIL,
      label: (tick) => `${tick} %`,
    };
  }
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value) => from + ((Math.log10(value) - least) / (most - least)) * (to - from),
    ticks: Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i)),
    label: (tick) => tick.toLocaleString("en"),
  };
}

function shortOf(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}

function dot(x: number, y: number, colour: string | undefined): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${colour}"/>`;
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
}

function text(x: number, y: number, words: string, anchor = "middle", colour = "#333", size = 12): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const font = size === 12 ? "" : ` font-size="${size}"`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${colour}"${font}>${escaped}</text>`;
}

function svg(title: string, height: number, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${FONT}>`;
  return `${head}\n<title>${title}</title>\n<rect width="100%" height="100%" fill="#fff"/>\n${parts.join("\n")}\n</svg>\n`;
}
