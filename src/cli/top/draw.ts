/** The screen of `top`, line by line: only rows that are to be seen are made. */

import { type Seen, totalsOf, totalsSentence } from "../../explain/overview.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatNumber, formatTimeOfDay } from "../../text/number.ts";
import { arrangeBoards, boardTable, seenTable } from "../output/top-tables.ts";
import type { Line, Tone } from "../session/screen.ts";
import { wrapText } from "../text/width.ts";
import { arrange, SORTS } from "./arrange.ts";
import { detailLines } from "./detail.ts";
import { seenAt, type TopState } from "./state.ts";

export interface DrawOptions {
  readonly columns: number;
  readonly rows: number;
  /** ms, monotonic, and since 1970 by the clock on the wall. */
  readonly now: number;
  readonly wall: number;
}

/** What is on the screen, and what keys then need to know. */
export interface Drawn {
  readonly lines: readonly Line[];
  /** Rows of the list, or lines of the detail, that one page has. */
  readonly page: number;
}

/** Columns before a row: the mark of the one that is selected. */
const MARGIN = 2;

export function draw(state: TopState, options: DrawOptions): Drawn {
  const head = headLines(state, options);
  const foot = [line(truncateKeys(keysOf(state), options.columns), "faint")];
  const room = Math.max(1, options.rows - head.length - foot.length);
  const { lines, page } =
    state.opened === undefined ? listLines(state, options, room) : openedLines(state, options, room);
  const body = state.connection.kind === "lost" ? lines.map(({ text }) => line(text, "faint")) : lines;
  const filled = Array.from({ length: room }, (_, index) => body[index] ?? line(""));
  return { lines: [...head, ...filled, ...foot].slice(0, options.rows), page };
}

function headLines(state: TopState, { columns, now, wall }: DrawOptions): Line[] {
  const { address, connection, opened } = state;
  const title =
    connection.kind === "live"
      ? [line(`backpressure top · ${address} · ${formatTimeOfDay(new Date(wall))}`, "head")]
      : [
          line(`LOST since ${formatTimeOfDay(new Date(connection.wall))}, as of then · ${address}`, "alarm"),
          ...wrapText(`${connection.why}; trying again`, columns)
            .slice(0, 2)
            .map((text) => line(text, "alarm")),
        ];
  if (opened !== undefined) return [...title, line(`${NOUNS[opened.tab]} ${opened.name}`, "head"), line("")];
  const seen = seenAt(state, now);
  return [
    ...title,
    ...wrapText(totalsWords(seen), columns)
      .slice(0, 2)
      .map((text) => line(text)),
    line(viewWords(state), "head"),
  ];
}

const NOUNS = { limiters: "limiter", boards: "board" } as const;

function totalsWords(seen: readonly Seen[]): string {
  const totals = totalsOf(seen);
  const oldest = totals.oldestWaitMs === undefined ? "" : `, oldest ${formatRoughly(totals.oldestWaitMs)}`;
  return `${totalsSentence(totals)} ${formatNumber(totals.waiting)} waiting${oldest} · ${formatNumber(totals.refusedPerMinute)} refused/min · ${formatNumber(totals.holding)} holding`;
}

function viewWords({ tab, sort, filter, isFiltering }: TopState): string {
  const tabs = tab === "limiters" ? "[limiters] boards" : "limiters [boards]";
  const order = tab === "limiters" ? ` · by ${SORTS[sort].name}` : "";
  const typed = isFiltering ? ` · /${filter}_` : filter === "" ? "" : ` · /${filter}`;
  return `${tabs}${order}${typed}`;
}

function keysOf({ opened, isFiltering }: TopState): readonly string[] {
  if (isFiltering) return ["type to filter", "Enter keep", "Esc clear"];
  if (opened !== undefined) return ["q quit", "Esc back", "↑↓ scroll"];
  return ["q quit", "Enter open", "/ filter", "Tab boards", "sort: t n w o u a r", "↑↓ move"];
}

function truncateKeys(keys: readonly string[], columns: number): string {
  let text = "";
  for (const key of keys) {
    const longer = text === "" ? key : `${text} · ${key}`;
    if (longer.length > columns) break;
    text = longer;
  }
  return text;
}

interface Row {
  readonly name: string;
  readonly tone: Tone;
}

function listLines(state: TopState, { columns, now }: DrawOptions, room: number): Drawn {
  // The headings take a line.
  const page = Math.max(1, room - 1);
  const width = columns - MARGIN;
  if (state.tab === "boards") {
    const boards = arrangeBoards(state.boards, state.filter);
    const rows = boards.map(
      ({ name, status }): Row => ({ name, tone: status.bottleneck === "" ? "plain" : "warning" }),
    );
    const from = scrollTo(state, rows, page);
    return {
      lines: tableLines(state, rows.slice(from, from + page), boardTable(boards.slice(from, from + page), width)),
      page,
    };
  }
  const seen = arrange(seenAt(state, now), state.filter, state.sort);
  const rows = seen.map(({ limiter, standing }): Row => ({ name: limiter.name, tone: TONES[standing.state] }));
  const from = scrollTo(state, rows, page);
  return {
    lines: tableLines(state, rows.slice(from, from + page), seenTable(seen.slice(from, from + page), width)),
    page,
  };
}

const TONES: Readonly<Record<Seen["standing"]["state"], Tone>> = {
  stuck: "alarm",
  shedding: "warning",
  full: "plain",
  paused: "plain",
  draining: "plain",
  calm: "plain",
};

/** Finds the selected row, wherever it stands now, and returns the first row that is shown so that it is on the screen. */
function scrollTo(state: TopState, rows: readonly Row[], page: number): number {
  const found = rows.findIndex(({ name }) => name === state.selected);
  const last = Math.max(0, rows.length - 1);
  const index = found === -1 ? Math.min(state.selectedIndex, last) : found;
  state.selectedIndex = index;
  // Until one is chosen, the first is, whichever that is.
  if (state.selected !== undefined) state.selected = rows[index]?.name;
  const least = Math.max(0, index - page + 1);
  state.scrolled = Math.min(Math.max(state.scrolled, least), index, Math.max(0, rows.length - page));
  return state.scrolled;
}

function tableLines(state: TopState, rows: readonly Row[], [heading = "", ...texts]: readonly string[]): Line[] {
  if (rows.length === 0)
    return [line(state.filter === "" ? `There are no ${state.tab}.` : `No ${NOUNS[state.tab]} matches.`, "faint")];
  const selected = state.selectedIndex - state.scrolled;
  return [
    line(`${" ".repeat(MARGIN)}${heading}`, "head"),
    ...rows.map(({ tone }, index) =>
      index === selected ? line(`> ${texts[index] ?? ""}`, "selected") : line(`  ${texts[index] ?? ""}`, tone),
    ),
  ];
}

function openedLines({ opened }: TopState, { columns }: DrawOptions, room: number): Drawn {
  if (opened === undefined) return { lines: [], page: room };
  const lines = detailLines(opened.detail, columns);
  opened.scrolled = Math.max(0, Math.min(opened.scrolled, lines.length - room));
  return { lines: lines.slice(opened.scrolled, opened.scrolled + room).map((text) => line(text)), page: room };
}

function line(text: string, tone: Tone = "plain"): Line {
  return { text, tone };
}
