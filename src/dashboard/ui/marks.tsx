/** Small marks: a state by word and shape, a share as a bar, the last minutes as a line. */

import type { State } from "../../explain/standing.ts";
import { STATE_MEANINGS, STATE_WORDS } from "../../explain/words.ts";

/** Each state has a shape of its own, so that none is shown by its colour alone. Paths, since fonts lack such signs. */
const SHAPES: Readonly<Record<State, string>> = {
  stuck: "M6 1 11 11H1Z",
  shedding: "M6 0 12 6 6 12 0 6Z",
  full: "M1 1H11V11H1Z",
  paused: "M2 1H5V11H2ZM7 1H10V11H7Z",
  draining: "M1 1H11L6 11Z",
  calm: "M6 2A4 4 0 1 0 6 10 4 4 0 1 0 6 2Z",
};
/** Of these the outline alone is drawn. */
const HOLLOW: ReadonlySet<State> = new Set(["draining", "calm"]);

export function StateMark({ state }: { readonly state: State }) {
  return (
    <span class={`state ${state}`} title={STATE_MEANINGS[state]}>
      <svg class={HOLLOW.has(state) ? "shape hollow" : "shape"} viewBox="0 0 12 12" aria-hidden="true">
        <path d={SHAPES[state]} />
      </svg>{" "}
      {STATE_WORDS[state]}
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

const WIDTH = 100;
const HEIGHT = 20;

/** `values` from the oldest to the newest. */
export function Sparkline({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  if (values.length < 2) return <span class="faint">–</span>;
  const most = Math.max(1e-9, ...values);
  const points = values.map((value, index) => {
    const x = (index / (values.length - 1)) * WIDTH;
    const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(" ")} />
    </svg>
  );
}
