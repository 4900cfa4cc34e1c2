/** Changes how many cards a stage may have. */

import { useState } from "preact/hooks";
import type { Board } from "../../../client/api/board.ts";
import { boardChangesToWire } from "../../../client/wire/board.ts";
import { stageLimitPreview } from "../../model/stage-limit.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { usePage } from "../../ui/context.ts";

export interface StageLimitDialogProps {
  readonly board: Board;
  readonly stage: string;
  readonly onClose: () => void;
}

export function StageLimitDialog({ board, stage, onClose }: StageLimitDialogProps) {
  const { rpc } = usePage();
  // As it stood when the form was opened: its etag sees to it that no other change is undone.
  const [{ name, etag, stages }] = useState(board);
  const found = stages.find((each) => each.name === stage);
  const [typed, setTyped] = useState(found?.wipLimit === undefined ? "" : String(found.wipLimit));
  const text = typed.trim();
  const limit = text === "" ? undefined : Number(text);
  const isValid = limit === undefined || (Number.isSafeInteger(limit) && limit >= 1 && limit <= 100_000);
  const cards = board.stages.find((each) => each.name === stage)?.status.cards ?? 0;
  const run = async () => {
    const changed = stages.map((each) => (each.name === stage ? { ...each, wipLimit: limit } : each));
    const { board: values, paths } = boardChangesToWire({ stages: changed });
    await rpc.boards.updateBoard({ board: { ...values, name, etag }, updateMask: { paths } });
    return `${stage} of ${name} has ${limit === undefined ? "no limit" : `a limit of ${limit}`} now.`;
  };
  return (
    <ActDialog
      title={`The limit of ${stage}`}
      confirm="Change"
      isReady={isValid && limit !== found?.wipLimit}
      run={run}
      onClose={onClose}
    >
      <label>
        Cards at most{" "}
        <input
          value={typed}
          inputMode="numeric"
          aria-describedby="hint-wip"
          onInput={(event) => setTyped(event.currentTarget.value)}
        />{" "}
        <small id="hint-wip">empty: no limit</small>
      </label>
      <div role="status" class="preview">
        <p>{isValid ? stageLimitPreview(stage, cards, limit) : "A limit is a whole number, 1 to 100,000."}</p>
      </div>
    </ActDialog>
  );
}
