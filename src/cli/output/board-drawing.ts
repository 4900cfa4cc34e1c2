/** A board as a picture: columns side by side where there is room for them, else one below the other. */

import type { Board, Stage } from "../../client/api/board.ts";
import type { Card } from "../../client/api/card.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatNumber } from "../../text/number.ts";
import { type Column, formatTable } from "../text/table.ts";
import { printable, textWidth, truncate } from "../text/width.ts";
import { boardFigures, countWords, idleWords, rateWords } from "./board-figures.ts";
import { MARKS, noteOf, workerOf } from "./card-words.ts";

export interface BoardView {
  readonly board: Board;
  /** Those to draw, in any order; completed ones are only counted. */
  readonly cards: Iterable<Card>;
}

export interface DrawingOptions {
  /** Columns of the terminal; undefined: there is none, and lines are as long as it takes. */
  readonly width: number | undefined;
  /** Cards of a stage to draw at most, those that have stood there longest. */
  readonly most: number;
}

/** A stage with those of its cards that are drawn. */
interface Drawn {
  readonly stage: Stage;
  readonly cards: readonly Card[];
  /** How many more there are. */
  readonly hidden: number;
}

const GAP = 2;
/** Columns of a stage below which nothing can be read any more. */
const NARROWEST = 14;
const SEPARATOR = " · ";

export function drawBoard({ board, cards }: BoardView, { width, most }: DrawingOptions): string[] {
  const stages = board.stages.map((stage) => drawn(stage, cards, most));
  const title = board.description === "" ? board.name : `${board.name}: ${printable(board.description)}`;
  const head = [width === undefined ? title : truncate(title, width), ...wrap(boardFigures(board), width)];
  const widths = width === undefined ? undefined : columnWidths(board, width);
  return [...head, "", ...(widths === undefined ? stacked(board, stages, width) : sideBySide(board, stages, widths))];
}

function drawn(stage: Stage, all: Iterable<Card>, most: number): Drawn {
  const cards = [...all].filter((card) => card.stage === stage.name && card.state !== "completed");
  const shown = cards.sort((a, b) => b.stageAgeMs - a.stageAgeMs).slice(0, most);
  return { stage, cards: shown, hidden: Math.max(cards.length, stage.status.cards) - shown.length };
}

/** The last stage takes what its words need, the others share the rest; undefined: there is too little. */
function columnWidths({ stages, status }: Board, width: number): readonly number[] | undefined {
  const last = stages.at(-1);
  if (last === undefined) return undefined;
  const lastWidth = Math.max(...[last.name, doneWords(status.completedCount)].map(textWidth));
  const others = stages.length - 1;
  const each = Math.floor((width - lastWidth - GAP * others) / others);
  return each < NARROWEST ? undefined : stages.map((stage) => (stage === last ? lastWidth : each));
}

function sideBySide(board: Board, stages: readonly Drawn[], widths: readonly number[]): string[] {
  const columns = stages.map((each, place) => {
    const width = widths[place] ?? NARROWEST;
    const lines = place === stages.length - 1 ? doneColumn(board, each) : stageColumn(each, width);
    return { width, lines: lines.map((line) => truncate(line, width)) };
  });
  const height = Math.max(...columns.map(({ lines }) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    columns
      .map(({ lines, width }) => fill(lines[line] ?? "", width))
      .join(" ".repeat(GAP))
      .trimEnd(),
  );
}

function doneColumn({ status }: Board, { stage }: Drawn): string[] {
  return [stage.name, doneWords(status.completedCount)];
}

function stageColumn({ stage, cards, hidden }: Drawn, width: number): string[] {
  return [
    stage.name,
    join(countWords(stage), idleWords(stage)),
    rateWords(stage),
    "─".repeat(width),
    ...cards.flatMap((card) => cardLines(card, width)),
    ...moreLines(hidden),
  ];
}

function cardLines(card: Card, width: number): string[] {
  const age = formatRoughly(card.ageMs);
  const first = fill(`${MARKS[card.state]} ${card.id}`, width - textWidth(age) - 1);
  const below = [card.title, noteOf(card)].filter((text) => text !== "");
  return [`${first} ${age}`, ...below.map((text) => `  ${printable(text)}`)];
}

function stacked(board: Board, stages: readonly Drawn[], width: number | undefined): string[] {
  return stages.flatMap((each, place) => {
    const { stage, cards, hidden } = each;
    if (place === stages.length - 1) return [join(...doneColumn(board, each))];
    const heading = join(stage.name, countWords(stage), idleWords(stage), rateWords(stage));
    const table = cards.length === 0 ? [] : formatTable(CARD_COLUMNS, cards, width && width - GAP);
    const lines = [...table, ...moreLines(hidden)].map((line) => `${" ".repeat(GAP)}${line}`);
    return [heading, ...lines, ""];
  });
}

/** A card a line. */
const CARD_COLUMNS: readonly Column<Card>[] = [
  { heading: "CARD", cell: ({ state, id }) => `${MARKS[state]} ${id}` },
  { heading: "TITLE", cell: ({ title }) => title || "-", cut: true },
  { heading: "AGE", cell: ({ ageMs }) => formatRoughly(ageMs), align: "right" },
  { heading: "HERE", cell: ({ stageAgeMs }) => formatRoughly(stageAgeMs), align: "right", leaveOut: 2 },
  { heading: "STATE", cell: ({ state }) => state },
  { heading: "WORKER", cell: (card) => workerOf(card) || "-", cut: true },
  { heading: "ATTEMPT", cell: ({ attempt }) => (attempt === 0 ? "-" : `${attempt}`), align: "right", leaveOut: 1 },
  { heading: "REASON", cell: ({ reason }) => reason || "-", cut: true, leaveOut: 0 },
];

function doneWords(count: number): string {
  return `${formatNumber(count)} done`;
}

function moreLines(hidden: number): string[] {
  return hidden > 0 ? [`… ${formatNumber(hidden)} more`] : [];
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(SEPARATOR);
}

/** The parts on as few lines as they need, none of them cut in two. */
function wrap(parts: readonly string[], width: number | undefined): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const line = lines.at(-1);
    const longer = line === undefined ? part : `${line}${SEPARATOR}${part}`;
    if (line === undefined || (width !== undefined && textWidth(longer) > width)) lines.push(part);
    else lines[lines.length - 1] = longer;
  }
  return width === undefined ? lines : lines.map((line) => truncate(line, width));
}

function fill(text: string, width: number): string {
  const shown = truncate(text, width);
  return shown + " ".repeat(Math.max(0, width - textWidth(shown)));
}
