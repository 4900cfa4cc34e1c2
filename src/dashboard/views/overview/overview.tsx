/** The first screen: is anything stuck, what, and since when? */

import { useEffect, useRef } from "preact/hooks";
import { formatRoughly } from "../../../text/duration.ts";
import { formatNumber } from "../../../text/number.ts";
import type { Census } from "../../model/census.ts";
import { usePage } from "../../ui/context.ts";
import { Figures } from "../../ui/figures.tsx";
import { LimiterTable } from "./limiter-table.tsx";

export function OverviewPage() {
  const { overview, limiters, navigation, connection } = usePage();
  const census = overview.census.value;
  const shown = overview.order.value.length;
  const filter = useRef<HTMLInputElement>(null);
  useFilterKey(filter);
  if (!limiters.isWhole.value) {
    return <p class="faint">{connection.liveness.value.kind === "live" ? "Reading all limiters…" : ""}</p>;
  }
  return (
    <>
      <h1 class={census.needing > 0 ? "sentence alarming" : "sentence"}>{sentence(census)}</h1>
      <Figures
        figures={[
          { label: "waiting", value: formatNumber(census.waiting) },
          { label: "oldest wait", value: census.waiting === 0 ? "–" : formatRoughly(census.oldestWait) },
          { label: "refused a minute", value: formatNumber(census.refused) },
          { label: "leases held", value: formatNumber(census.holding) },
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
          {shown === census.standings.length ? `${shown} limiters` : `${shown} of ${census.standings.length} limiters`}
        </span>
      </p>
      <LimiterTable />
    </>
  );
}

function sentence({ needing, standings, counts }: Census): string {
  if (standings.length === 0) return "There is no limiter yet.";
  const all = `${formatNumber(standings.length)} limiter${standings.length === 1 ? "" : "s"}`;
  if (needing === 0 && counts.full === 0) return `All is calm: nothing waits at ${all}.`;
  if (needing === 0)
    return `None of ${all} needs you; the queue${counts.full === 1 ? "" : "s"} of ${counts.full} move${counts.full === 1 ? "s" : ""}.`;
  return `${formatNumber(needing)} of ${all} need${needing === 1 ? "s" : ""} you.`;
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
