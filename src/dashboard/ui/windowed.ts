/** Which rows of a long table are worth making: those that are to be seen, and the one that has the focus. */

import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export interface Range {
  readonly from: number;
  /** The first row behind it. */
  readonly to: number;
}

/** Rows that are made above and below what is to be seen. */
const MARGIN = 8;

/** Follows the window as it is scrolled. `rowHeight` in px. */
export function useRange(body: RefObject<HTMLElement | null>, count: number, rowHeight: number): Range {
  const [range, setRange] = useState<Range>({ from: 0, to: MARGIN * 4 });
  useLayoutEffect(() => {
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const from = Math.max(0, Math.floor(-top / rowHeight) - MARGIN);
      const to = Math.min(count, Math.ceil((window.innerHeight - top) / rowHeight) + MARGIN);
      setRange((before) => (before.from === from && before.to === to ? before : { from, to: Math.max(from, to) }));
    };
    look();
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    return () => {
      window.removeEventListener("scroll", look);
      window.removeEventListener("resize", look);
    };
  }, [body, count, rowHeight]);
  return range;
}

/** A row to make, or the place of rows that are not made. */
export type Slot =
  | { readonly kind: "row"; readonly index: number }
  | { readonly kind: "gap"; readonly from: number; readonly rows: number };

/** Returns what stands in the table from top to bottom; `focused` is made wherever it is, or the focus would be lost. */
export function slotsOf(count: number, { from, to }: Range, focused: number): readonly Slot[] {
  const indices: number[] = [];
  for (let index = from; index < Math.min(to, count); index++) indices.push(index);
  if (focused >= 0 && focused < count && (focused < from || focused >= to)) {
    indices.splice(focused < from ? 0 : indices.length, 0, focused);
  }
  const slots: Slot[] = [];
  let next = 0;
  for (const index of indices) {
    if (index > next) slots.push({ kind: "gap", from: next, rows: index - next });
    slots.push({ kind: "row", index });
    next = index + 1;
  }
  if (next < count) slots.push({ kind: "gap", from: next, rows: count - next });
  return slots;
}
