/** A card in full, and what an operator may do with it: block it, or let it go on. */

import { useState } from "preact/hooks";
import { formatInstant } from "../../../text/number.ts";
import type { SeenCard } from "../../store/board.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { usePage } from "../../ui/context.ts";

export interface CardDialogProps {
  readonly board: string;
  readonly seen: SeenCard;
  readonly onClose: () => void;
}

export function CardDialog({ board, seen, onClose }: CardDialogProps) {
  const { rpc } = usePage();
  const [reason, setReason] = useState("");
  // As it was opened: what the dialog says stays true to what its button does.
  const [{ card }] = useState(seen);
  const isBlocked = card.state === "blocked";
  const isDone = card.state === "completed";
  const run = async () => {
    if (isBlocked) {
      await rpc.boards.unblockCard({ board, cardId: card.id });
      return `${card.id} waits in ${card.stage} again, with its attempts counted anew.`;
    }
    await rpc.boards.blockCard({ board, cardId: card.id, reason });
    return `${card.id} is blocked: it stays in ${card.stage} and counts there until it is unblocked.`;
  };
  return (
    <ActDialog
      title={card.title || card.id}
      confirm={isBlocked ? "Unblock" : "Block"}
      isReady={!isDone}
      run={run}
      onClose={onClose}
    >
      <dl class="facts">
        {factsOf(seen).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {!isDone && (
        <p>
          {isBlocked
            ? `It waits in ${card.stage} for the next pull once it is unblocked.`
            : `Blocked, it cannot be pulled, and still counts in ${card.stage}.${card.lease?.live ? ` The work of ${card.lease.worker || "its worker"} on it ends.` : ""}`}
        </p>
      )}
      {!isDone && !isBlocked && (
        <label>
          Why <input value={reason} maxLength={512} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
      )}
    </ActDialog>
  );
}

function factsOf({ card }: SeenCard): readonly (readonly [string, string])[] {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["id", card.id],
    ["stage", `${card.stage}, ${card.state}`],
    ["added", card.addTime && formatInstant(card.addTime)],
    ["worker", card.lease?.worker],
    ["caller", card.lease?.caller],
    ["attempt", card.attempt > 0 ? String(card.attempt) : undefined],
    ["why", card.reason],
    ["what it is", card.description],
    ["data", card.data],
    ["result", card.result],
  ];
  return facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== "");
}
