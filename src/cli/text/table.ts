/** Tables for people: columns as wide as they need to be, and as narrow as the terminal. */

import { printable, textWidth, truncate } from "./width.ts";

export interface Column<T> {
  readonly heading: string;
  readonly cell: (row: T) => string;
  readonly align?: "left" | "right";
  /** Where room is short, columns are left out, the highest number first. Undefined: never. */
  readonly leaveOut?: number;
  /** Whether it may be cut, down to `SHORTEST_CUT` columns, after all that can be left out is. */
  readonly cut?: boolean;
}

/** A column as it stands: its text, and how wide it is. */
interface Laid<T> {
  readonly column: Column<T>;
  readonly cells: readonly string[];
  readonly width: number;
}

const GAP = 2;
const SHORTEST_CUT = 8;

/** The lines of the table, headings first. `width`: columns that there are; undefined: as many as it takes. */
export function formatTable<T>(columns: readonly Column<T>[], rows: readonly T[], width?: number): string[] {
  const natural = columns.map((column) => lay(column, rows));
  const fitted = width === undefined ? natural : narrow(natural, width);
  const count = rows.length + 1;
  return Array.from({ length: count }, (_, line) =>
    fitted
      .map((laid) => pad(laid, line))
      .join(" ".repeat(GAP))
      .trimEnd(),
  );
}

function lay<T>(column: Column<T>, rows: readonly T[]): Laid<T> {
  const cells = [column.heading, ...rows.map((row) => printable(column.cell(row)))];
  return { column, cells, width: Math.max(...cells.map(textWidth)) };
}

function narrow<T>(natural: readonly Laid<T>[], width: number): readonly Laid<T>[] {
  let laid = natural;
  while (widthOf(laid) > width) {
    const least = laid.reduce((a, b) => ((b.column.leaveOut ?? -1) > (a.column.leaveOut ?? -1) ? b : a));
    if (least.column.leaveOut === undefined) return cutDown(laid, widthOf(laid) - width);
    laid = laid.filter((each) => each !== least);
  }
  return laid;
}

/** Takes the excess from the widest of those that may be cut, a column at a time. */
function cutDown<T>(laid: readonly Laid<T>[], excess: number): readonly Laid<T>[] {
  const widths = new Map(laid.filter(({ column }) => column.cut).map((each) => [each, each.width]));
  for (let left = excess; left > 0; left -= 1) {
    const [widest] = [...widths].sort(([, a], [, b]) => b - a);
    if (widest === undefined || widest[1] <= SHORTEST_CUT) break;
    widths.set(widest[0], widest[1] - 1);
  }
  return laid.map((each) => ({ ...each, width: widths.get(each) ?? each.width }));
}

function widthOf<T>(laid: readonly Laid<T>[]): number {
  return laid.reduce((sum, { width }) => sum + width + GAP, -GAP);
}

function pad<T>({ column, cells, width }: Laid<T>, line: number): string {
  const text = truncate(cells[line] ?? "", width);
  const space = " ".repeat(width - textWidth(text));
  return column.align === "right" ? space + text : text + space;
}
