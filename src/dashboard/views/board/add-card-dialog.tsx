/** Adds a card to the first stage. */

import { useState } from "preact/hooks";
import { cardFromWire } from "../../../client/wire/card.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { usePage } from "../../ui/context.ts";

export function AddCardDialog({ board, onClose }: { readonly board: string; readonly onClose: () => void }) {
  const { rpc } = usePage();
  const [title, setTitle] = useState("");
  const [description, setDescription] = useState("");
  const [priority, setPriority] = useState("0");
  const run = async () => {
    const answer = await rpc.boards.addCard({ board, card: { title, description, priority: Number(priority) } });
    const card = cardFromWire(answer.card);
    return `${card.title} is added as ${card.id}, and stands in ${card.stage}.`;
  };
  const isReady = title.trim() !== "" && /^-?\d{1,4}$/.test(priority);
  return (
    <ActDialog title={`Add a card to ${board}`} confirm="Add" isReady={isReady} run={run} onClose={onClose}>
      <p>It begins in the first stage; the stages behind pull it when they have room, the highest priority first.</p>
      <div class="fields">
        <label>
          Title
          <input value={title} maxLength={512} onInput={(event) => setTitle(event.currentTarget.value)} />
        </label>
        <label>
          Priority
          <input
            value={priority}
            inputMode="numeric"
            aria-describedby="hint-priority"
            onInput={(event) => setPriority(event.currentTarget.value)}
          />
          <small id="hint-priority">-1000 to 1000; higher goes first</small>
        </label>
      </div>
      <label>
        What it is
        <textarea rows={3} value={description} onInput={(event) => setDescription(event.currentTarget.value)} />
      </label>
    </ActDialog>
  );
}
