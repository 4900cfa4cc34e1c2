/** Limiters and boards at a glance, those in trouble first: what `top` shows, live or once. */

import type { Board } from "../../client/api/board.ts";
import type { LeaseInfo, WaiterInfo } from "../../client/api/limiter.ts";
import type { Seen } from "../../explain/overview.ts";
import { heldFor } from "../../explain/sight.ts";
import { causeWords, nameOf, STATE_WORDS } from "../../explain/words.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatNumber } from "../../text/number.ts";
import { type Column, formatTable } from "../text/table.ts";
import { countWords, spanWords } from "./board-figures.ts";
import { callerColumn } from "./lease-table.ts";

const LIMITER_COLUMNS: readonly Column<Seen>[] = [
  { heading: "STATE", cell: ({ standing }) => STATE_WORDS[standing.state] },
  { heading: "LIMITER", cell: ({ limiter }) => limiter.name, cut: true },
  { heading: "IN USE", cell: useWords, align: "right", leaveOut: 0 },
  { heading: "WAITING", cell: ({ limiter }) => formatNumber(limiter.status.waiters), align: "right" },
  { heading: "OLDEST", cell: ({ standing }) => spanWords(standing.oldestWaitMs), align: "right", leaveOut: 1 },
  { heading: "λ/s", cell: ({ limiter }) => formatNumber(limiter.status.admissionRate), align: "right", leaveOut: 3 },
  { heading: "μ/s", cell: ({ limiter }) => formatNumber(limiter.status.completionRate), align: "right", leaveOut: 4 },
  {
    heading: "REFUSED/m",
    cell: ({ limiter }) => formatNumber(limiter.status.refusalRate * 60),
    align: "right",
    leaveOut: 5,
  },
  { heading: "HELD BACK BY", cell: ({ standing }) => causeWords(standing.cause) || "-", leaveOut: 2 },
];

/** `width`: columns of the terminal; undefined: as many as it takes. */
export function seenTable(all: readonly Seen[], width: number | undefined): string[] {
  return formatTable(LIMITER_COLUMNS, all, width);
}

const BOARD_COLUMNS: readonly Column<Board>[] = [
  { heading: "BOARD", cell: ({ name }) => name, cut: true },
  { heading: "BOTTLENECK", cell: ({ status }) => status.bottleneck || "-", leaveOut: 0 },
  { heading: "CARDS", cell: ({ status }) => formatNumber(status.cards), align: "right" },
  { heading: "BLOCKED", cell: ({ status }) => formatNumber(status.blocked), align: "right", leaveOut: 1 },
  { heading: "μ/h", cell: ({ status }) => formatNumber(status.throughputPerHour), align: "right", leaveOut: 3 },
  { heading: "P85 LEAD", cell: ({ status }) => spanWords(status.leadTime.p85Ms), align: "right", leaveOut: 4 },
  { heading: "STAGES", cell: stagesWords, cut: true, leaveOut: 2 },
];

export function boardTable(boards: readonly Board[], width: number | undefined): string[] {
  return formatTable(BOARD_COLUMNS, boards, width);
}

/** Boards with a bottleneck first, then those with blocked cards, then by name. */
export function arrangeBoards(boards: readonly Board[], filter: string): Board[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = ({ status }: Board) => (status.bottleneck !== "" ? 0 : status.blocked > 0 ? 1 : 2);
  return boards
    .filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)))
    .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

export interface AgedOptions {
  readonly width: number | undefined;
  /** ms since 1970 by the server's clock. */
  readonly readAt: number;
}

export function holderTable(leases: readonly LeaseInfo[], { width, readAt }: AgedOptions): string[] {
  const columns: readonly Column<LeaseInfo>[] = [
    { heading: "HELD", cell: (lease) => formatRoughly(heldFor(lease, readAt)), align: "right" },
    { heading: "HOLDER", cell: ({ holder }) => holder || "-", cut: true },
    ...callerColumn(leases),
    { heading: "HOLDS", cell: ({ claims }) => claims.map(claimWords).join(", "), cut: true, leaveOut: 2 },
    { heading: "STATE", cell: ({ state, revoking }) => (revoking ? "revoking" : state), leaveOut: 0 },
    { heading: "LEASE", cell: ({ id }) => id, leaveOut: 1 },
  ];
  return formatTable(columns, leases, width);
}

export function queueTable(waiters: readonly WaiterInfo[], { width, readAt }: AgedOptions): string[] {
  const waited = ({ arriveTime }: WaiterInfo) =>
    arriveTime === undefined ? "-" : formatRoughly(Math.max(0, readAt - arriveTime.getTime()));
  const columns: readonly Column<WaiterInfo>[] = [
    { heading: "WAITED", cell: waited, align: "right" },
    { heading: "WAITER", cell: ({ holder }) => holder || "-", cut: true },
    ...callerColumn(waiters),
    { heading: "WANTS", cell: ({ claims }) => claims.map(claimWords).join(", "), cut: true, leaveOut: 2 },
    {
      heading: "AHEAD",
      cell: ({ waitersAhead, away }) => (away ? "away" : formatNumber(waitersAhead)),
      align: "right",
    },
    { heading: "ESTIMATE", cell: ({ estimatedWaitMs }) => spanWords(estimatedWaitMs), align: "right", leaveOut: 0 },
    { heading: "ID", cell: ({ id }) => id, leaveOut: 1 },
  ];
  return formatTable(columns, waiters, width);
}

function claimWords({
  limiter,
  key = "",
  permits = 1,
}: {
  limiter: string;
  key?: string | undefined;
  permits?: number | undefined;
}): string {
  return permits === 1 ? nameOf(limiter, key) : `${nameOf(limiter, key)} ×${permits}`;
}

function useWords({ limiter: { maxConcurrent, status } }: Seen): string {
  if (maxConcurrent === undefined) return "-";
  return `${formatNumber(status.permitsInUse)}/${formatNumber(status.permitsLimit)}`;
}

/** `Ready 5/5 full, InProgress 1/3`: those in which there is work. */
export function stagesWords({ stages }: Board): string {
  const busy = stages.slice(0, -1).filter(({ status }) => status.cards > 0);
  return busy.map((stage) => `${stage.name} ${countWords(stage)}`).join(", ") || "-";
}
