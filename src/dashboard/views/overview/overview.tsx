/** The first screen: is anything stuck, what, and since when? */

import { useEffect, useRef } from "preact/hooks";
import { totalsSentence } from "../../../explain/overview.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatNumber } from "../../../text/number.ts";
import type { Census } from "../../model/census.ts";
import { usePage } from "../../ui/context.ts";
import { Figures } from "../../ui/figures.tsx";
import { LimiterTable } from "./limiter-table.tsx";

export function OverviewPage() {
  const { overview, limiters, navigation, connection } = usePage();
  const census = overview.census.value;
  const { totals } = census;
  const shown = overview.order.value.length;
  const filter = useRef<HTMLInputElement>(null);
  useFilterKey(filter);
  if (!limiters.isWhole.value) {
    return <p class="faint">{connection.liveness.value.kind === "live" ? "Reading all limiters…" : ""}</p>;
  }
  return (
    <>
      <h1 class={totals.needing > 0 ? "sentence alarming" : "sentence"}>{sentence(census)}</h1>
      <Figures
        figures={[
          { label: "waiting", value: formatNumber(totals.waiting) },
          { label: "oldest wait", value: totals.oldestWaitMs === undefined ? "–" : formatRoughly(totals.oldestWaitMs) },
          { label: "refused a minute", value: formatNumber(totals.refusedPerMinute) },
          { label: "leases held", value: formatNumber(totals.holding) },
        ]}
      />
      <p class="tools">
        <label>
          Filter <kbd>/</kbd>{" "}
          <input
            ref={filter}
            type="search"
            value={navigation.route.value.filter}
            onInput={({ currentTarget }) => navigation.adjust({ filter: currentTarget.value })}
          />
        </label>{" "}
        <span class="faint">
          {shown === totals.limiters ? `${shown} limiters` : `${shown} of ${totals.limiters} limiters`}
        </span>
      </p>
      <LimiterTable />
    </>
  );
}

/** How many need an operator; where none does, whether there are queues at all. */
function sentence({ totals, full }: Census): string {
  const words = totalsSentence(totals);
  if (totals.limiters === 0 || totals.needing > 0) return words;
  return full === 0 ? `All is calm. ${words}` : `${words} ${formatNumber(full)} ${full === 1 ? "is" : "are"} full.`;
}

function useFilterKey(filter: { readonly current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "/" || isTyping(event.target)) return;
      event.preventDefault();
      filter.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [filter]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}
