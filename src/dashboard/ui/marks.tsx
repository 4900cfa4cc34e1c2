/** Small marks: a state by word and shape, a share as a bar. */

import { TROUBLE_MEANING, TROUBLE_WORDS, type Trouble } from "../model/trouble.ts";

/** Each state has a shape of its own, so that none is told by its colour alone. */
const SHAPES: Readonly<Record<Trouble, string>> = {
  stuck: "▲",
  full: "■",
  shedding: "◆",
  paused: "❚❚",
  draining: "▽",
  calm: "○",
};

export function TroubleMark({ trouble }: { readonly trouble: Trouble }) {
  return (
    <span class={`state ${trouble}`} title={TROUBLE_MEANING[trouble]}>
      <span class="shape" aria-hidden="true">
        {SHAPES[trouble]}
      </span>{" "}
      {TROUBLE_WORDS[trouble]}
    </span>
  );
}

/** A share of a whole: the number is beside it, so it is hidden from readers of screens. */
export function Bar({ part, whole }: { readonly part: number; readonly whole: number }) {
  const share = whole === 0 ? 0 : Math.min(1, part / whole);
  return (
    <span class={part > whole ? "share over" : "share"} aria-hidden="true">
      <span style={{ width: `${(share * 100).toFixed(1)}%` }} />
    </span>
  );
}
