/** All limiters, by trouble unless sorted otherwise. Of thousands only the rows that are to be seen are made. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { parseSort } from "../../model/census.ts";
import { usePage } from "../../ui/context.ts";
import { Sortable } from "../../ui/sortable.tsx";
import { slotsOf, useRange } from "../../ui/windowed.ts";
import { LimiterRow } from "./limiter-row.tsx";

const COLUMNS = 8;
/** rem; the style sheet has the same. */
const ROW_HEIGHT = 2.5;

export function LimiterTable() {
  const { overview, navigation } = usePage();
  const order = overview.order.value;
  const sorted = parseSort(navigation.route.value.sort);
  const body = useRef<HTMLTableSectionElement>(null);
  const rowHeight = ROW_HEIGHT * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const range = useRange(body, order.length, rowHeight);
  const focus = useRowFocus(body, order);
  const sort = { sorted, onSort: (by: string) => navigation.adjust({ sort: by }) };
  return (
    <table class="limiters" aria-rowcount={order.length + 1}>
      <caption class="unseen">Limiters. The keys j and k go to the next and the previous one, Enter opens it.</caption>
      <thead>
        <tr aria-rowindex={1}>
          <Sortable label="State" column="state" {...sort} />
          <Sortable label="Limiter" column="name" {...sort} />
          <Sortable label="In use" column="use" class="wide" descendingFirst {...sort} />
          <Sortable label="Waiting" column="waiting" class="number" descendingFirst {...sort} />
          <Sortable label="Oldest wait" column="oldest" class="number" descendingFirst {...sort} />
          <Sortable
            label="λ / μ"
            title="granted, and ended, a second"
            column="granted"
            class="number wide"
            descendingFirst
            {...sort}
          />
          <th scope="col" class="wide">
            Held back by
          </th>
          <th scope="col" class="widest" title="how many waited in the last ten minutes">
            Ten minutes
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {slotsOf(order.length, range, order.indexOf(focus.name)).map((slot) => {
          if (slot.kind === "gap") {
            return (
              <tr key={`gap ${slot.from}`} class="gap">
                <td colSpan={COLUMNS} style={{ height: `${slot.rows * rowHeight}px` }} />
              </tr>
            );
          }
          const name = order[slot.index] ?? "";
          return (
            <LimiterRow
              key={name}
              name={name}
              rowIndex={slot.index + 2}
              onFocus={() => focus.onFocus(name)}
              onBlur={focus.onBlur}
            />
          );
        })}
      </tbody>
    </table>
  );
}

interface RowFocus {
  /** Of the limiter whose row has the focus; empty: none has. */
  readonly name: string;
  onFocus(name: string): void;
  onBlur(): void;
}

/** Keeps the focus on the row of its limiter when the order changes, and moves it by `j` and `k`. */
function useRowFocus(body: { readonly current: HTMLElement | null }, order: readonly string[]): RowFocus {
  const [name, setName] = useState("");
  // Keys may come faster than the page is drawn.
  const latest = useRef("");
  const set = (next: string) => {
    latest.current = next;
    setName(next);
  };
  // A row that changes its place in the document loses the focus on the way: that is no wish of its reader.
  const moving = useRef(false);
  moving.current = true;
  useLayoutEffect(() => {
    moving.current = false;
    if (name === "" || document.activeElement !== document.body) return;
    linkOf(body.current, name)?.focus({ preventScroll: true });
  });
  useEffect(() => {
    const onKey = ({ key, target, ctrlKey, metaKey, altKey }: KeyboardEvent) => {
      const step = key === "j" ? 1 : key === "k" ? -1 : 0;
      if (step === 0 || ctrlKey || metaKey || altKey) return;
      if (target instanceof HTMLElement && target.matches("input, textarea, select")) return;
      const at = order.indexOf(latest.current);
      const next = order[at < 0 ? 0 : Math.min(order.length - 1, Math.max(0, at + step))];
      if (next === undefined) return;
      set(next);
      requestAnimationFrame(() => {
        if (latest.current !== next) return;
        const link = linkOf(body.current, next);
        link?.focus({ preventScroll: true });
        link?.scrollIntoView({ block: "nearest" });
      });
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [body, order]);
  return {
    name,
    onFocus: set,
    onBlur() {
      if (!moving.current) set("");
    },
  };
}

function linkOf(body: HTMLElement | null, name: string): HTMLElement | null {
  return body?.querySelector<HTMLElement>(`a[data-name="${CSS.escape(name)}"]`) ?? null;
}
