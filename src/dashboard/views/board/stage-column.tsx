/** A stage: its cards, the oldest first, under what it holds of its limit. */

import type { Stage } from "../../../client/api/board.ts";
import type { CardState } from "../../../client/api/card.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatCount, formatNumber } from "../../../text/number.ts";
import type { SeenCard } from "../../store/board.ts";
import { usePage } from "../../ui/context.ts";
import { Bar } from "../../ui/marks.tsx";

export interface StageColumnProps {
  readonly stage: Stage;
  readonly cards: readonly SeenCard[];
  readonly isBottleneck: boolean;
  readonly isLast: boolean;
  readonly onCard: (id: string) => void;
  readonly onLimit: () => void;
}

/** Cards that are shown of a stage. */
const MOST_SHOWN = 50;
const MOST_COMPLETED = 12;

const STATES: Readonly<Record<CardState, string>> = {
  waiting: "waiting",
  active: "in work",
  blocked: "blocked",
  finished: "finished",
  "sent-back": "sent back",
  completed: "completed",
};

export function StageColumn({ stage, cards, isBottleneck, isLast, onCard, onLimit }: StageColumnProps) {
  const { status, name, wipLimit } = stage;
  const most = isLast ? MOST_COMPLETED : MOST_SHOWN;
  const sorted = [...cards].sort((a, b) => (isLast ? entered(b) - entered(a) : entered(a) - entered(b)));
  const isFull = wipLimit !== undefined && status.cards >= wipLimit;
  return (
    <section class={isBottleneck ? "stage bottleneck" : "stage"} aria-label={name} data-stage={name}>
      <h2>
        {name}
        {isBottleneck && <span class="mark"> bottleneck</span>}
      </h2>
      <p class="limit">
        {wipLimit !== undefined && <Bar part={status.cards} whole={wipLimit} />}{" "}
        <span class="count">
          {wipLimit === undefined
            ? formatNumber(status.cards)
            : `${formatNumber(status.cards)} of ${formatNumber(wipLimit)}`}
        </span>
        {isFull && " full"}{" "}
        <button type="button" class="quiet" onClick={onLimit}>
          Limit<span class="unseen"> of {name}</span>
        </button>
      </p>
      <p class="faint">{standing(stage)}</p>
      <ul>
        {sorted.slice(0, most).map((seen) => (
          <li key={seen.card.id}>
            <CardButton seen={seen} usual={stage.status.cycleTime.p85Ms} onOpen={onCard} />
          </li>
        ))}
      </ul>
      {sorted.length > most && (
        <p class="faint">
          and {formatNumber(sorted.length - most)} {isLast ? "earlier" : "more"}
        </p>
      )}
    </section>
  );
}

interface CardButtonProps {
  readonly seen: SeenCard;
  /** ms that 85 % of the cards spend in the stage. */
  readonly usual: number | undefined;
  readonly onOpen: (id: string) => void;
}

function CardButton({ seen: { card, at }, usual, onOpen }: CardButtonProps) {
  const { connection } = usePage();
  const age = card.stageAgeMs + Math.max(0, connection.now.value - at);
  const isOld = usual !== undefined && age > usual && card.state !== "completed";
  const marks = [STATES[card.state]];
  if (card.lease?.live) marks.push(card.lease.worker || "a worker");
  if (card.attempt > 1) marks.push(`attempt ${card.attempt}`);
  if (card.priority !== 0) marks.push(`priority ${card.priority}`);
  return (
    <button
      type="button"
      class={`card ${card.state}${isOld ? " old" : ""}`}
      data-card={card.id}
      onClick={() => onOpen(card.id)}
    >
      <span class="title">{card.title || card.id}</span>
      <span class="faint">
        {marks.join(" · ")} · {formatRoughly(age)}
        {isOld && <strong> longer than usual</strong>}
      </span>
    </button>
  );
}

function standing({ kind, status, limiter }: Stage): string {
  const parts = [];
  if (status.blocked > 0) parts.push(`${status.blocked} blocked`);
  if (status.sentBack > 0) parts.push(`${status.sentBack} sent back`);
  if (kind === "work" && status.finished > 0) parts.push(`${status.finished} finished, not pulled`);
  if (status.pullers > 0) parts.push(`${formatCount(status.pullers, "worker")} waiting`);
  if (limiter !== "") parts.push(`limiter ${limiter}`);
  return parts.join(" · ");
}

function entered({ card }: SeenCard): number {
  return (card.completeTime ?? card.enterTime)?.getTime() ?? 0;
}
