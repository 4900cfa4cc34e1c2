/** One board: its stages with their limits, its cards where they stand, and how work flows. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { formatRoughly } from "../../../text/duration.ts";
import { formatNumber } from "../../../text/number.ts";
import { type BoardState, type SeenCard, watchBoard } from "../../store/board.ts";
import { usePage } from "../../ui/context.ts";
import { Figures } from "../../ui/figures.tsx";
import { AddCardDialog } from "./add-card-dialog.tsx";
import { CardDialog } from "./card-dialog.tsx";
import { FlowCharts } from "./flow-charts.tsx";
import { StageColumn } from "./stage-column.tsx";
import { StageLimitDialog } from "./stage-limit-dialog.tsx";

type Here = Extract<BoardState, { readonly kind: "here" }>;

type Open =
  | { readonly kind: "nothing" | "add" }
  | { readonly kind: "card"; readonly id: string }
  | { readonly kind: "limit"; readonly stage: string };

const CLOSED: Open = { kind: "nothing" };

export function BoardPage({ name }: { readonly name: string }) {
  const { rpc, connection } = usePage();
  const watched = useMemo(() => watchBoard({ rpc, connection, name }), [rpc, connection, name]);
  useEffect(() => watched.close, [watched]);
  const { kind } = connection.liveness.value;
  // What has become of the server shows at the watch of limiters; this one may be as dead.
  useEffect(() => (kind === "lost" ? watched.reopen() : undefined), [watched, kind]);
  const state = watched.state.value;
  switch (state.kind) {
    case "waiting":
      return <h1>{name}</h1>;
    case "gone":
      return (
        <>
          <h1>{name}</h1>
          <p>There is no board of this name now.</p>
        </>
      );
    case "here":
      return <BoardHere state={state} />;
  }
}

function BoardHere({ state: { board, cards } }: { readonly state: Here }) {
  const [open, setOpen] = useState<Open>(CLOSED);
  const close = () => setOpen(CLOSED);
  const { name, status, stages, description } = board;
  const byStage = useMemo(() => groupByStage(cards), [cards]);
  const opened = open.kind === "card" ? cards.get(open.id) : undefined;
  return (
    <>
      <h1>{name}</h1>
      {description !== "" && <p class="faint">{description}</p>}
      {status.bottleneck !== "" && (
        <p class="sentence">
          <strong>{status.bottleneck}</strong> is the bottleneck: it does not take the cards that it could pull, and the
          stage before it is full.
        </p>
      )}
      <Figures
        figures={[
          { label: "cards in work", value: formatNumber(status.cards) },
          { label: "blocked", value: formatNumber(status.blocked) },
          { label: "completed an hour", value: formatNumber(status.throughputPerHour) },
          { label: "added an hour", value: formatNumber(status.arrivalsPerHour) },
          {
            label: "lead time, 85 % within",
            value: status.leadTime.p85Ms === undefined ? "–" : formatRoughly(status.leadTime.p85Ms),
          },
        ]}
      />
      <p class="tools">
        <button type="button" onClick={() => setOpen({ kind: "add" })}>
          Add a card
        </button>
      </p>
      <div class="stages">
        {stages.map((stage, index) => (
          <StageColumn
            key={stage.name}
            stage={stage}
            cards={byStage.get(stage.name) ?? []}
            isBottleneck={status.bottleneck === stage.name}
            isLast={index === stages.length - 1}
            onCard={(id) => setOpen({ kind: "card", id })}
            onLimit={() => setOpen({ kind: "limit", stage: stage.name })}
          />
        ))}
      </div>
      <FlowCharts board={board} cards={cards} />
      {open.kind === "add" && <AddCardDialog board={name} onClose={close} />}
      {open.kind === "limit" && <StageLimitDialog board={board} stage={open.stage} onClose={close} />}
      {opened !== undefined && <CardDialog board={name} seen={opened} onClose={close} />}
    </>
  );
}

function groupByStage(cards: ReadonlyMap<string, SeenCard>): ReadonlyMap<string, readonly SeenCard[]> {
  const groups = new Map<string, SeenCard[]>();
  for (const seen of cards.values()) {
    const group = groups.get(seen.card.stage);
    if (group === undefined) groups.set(seen.card.stage, [seen]);
    else group.push(seen);
  }
  return groups;
}
