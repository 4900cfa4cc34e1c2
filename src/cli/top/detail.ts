/** One limiter or board, looked at closely. */

import type { Explanation } from "../../explain/explanation.ts";
import type { Sight } from "../../explain/sight.ts";
import { formatCount } from "../../text/number.ts";
import { type BoardView, drawBoard } from "../output/board-drawing.ts";
import { explanationLines } from "../output/explanation-lines.ts";
import { holderTable, queueTable } from "../output/top-tables.ts";

export type Detail =
  | { readonly kind: "limiter"; readonly explanation: Explanation; readonly sight: Sight }
  | { readonly kind: "board"; readonly view: BoardView }
  | { readonly kind: "failed"; readonly why: string };

/** Cards of a stage that are drawn at most. */
const MOST_CARDS = 50;

export function detailLines(detail: Detail | undefined, width: number): string[] {
  switch (detail?.kind) {
    case undefined:
      return ["…"];
    case "failed":
      return [detail.why];
    case "board":
      return drawBoard(detail.view, { width, most: MOST_CARDS });
    case "limiter": {
      const { explanation, sight } = detail;
      const { leases, waiters, readAt } = sight;
      return [
        ...explanationLines(explanation, width),
        ...section("holder", leases.length, () => holderTable(leases, { width, readAt })),
        ...section("waiter", waiters.length, () => queueTable(waiters, { width, readAt })),
      ];
    }
  }
}

function section(noun: string, count: number, table: () => readonly string[]): string[] {
  return count === 0 ? [] : ["", `${formatCount(count, noun)}:`, ...table()];
}
