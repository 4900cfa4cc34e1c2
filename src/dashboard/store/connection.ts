/**
 * Whether what is shown is live. A number is, or it is grey, with the time as of which it was true: a page that shows old figures
 * as if they were new is worse than none.
 */

import { type ReadonlySignal, signal } from "@preact/signals";

export type Liveness =
  /** Nothing has come yet. */
  | { readonly kind: "connecting"; readonly problem: string | undefined }
  | { readonly kind: "live" }
  /** `asOf`: ms since 1970, when the server was heard last. */
  | { readonly kind: "lost"; readonly asOf: number; readonly problem: string };

export interface Connection {
  readonly liveness: ReadonlySignal<Liveness>;
  /** ms since 1970, a new value each second; while nothing is live it stands at the last moment that was. */
  readonly now: ReadonlySignal<number>;
  /** A stream has brought something: what is shown is live. */
  heard(): void;
  /** The server has answered: what was live still is. */
  confirmed(): void;
  lost(problem: string): void;
}

/** ms. */
const TICK = 1_000;

export function createConnection(): Connection {
  const liveness = signal<Liveness>({ kind: "connecting", problem: undefined });
  const now = signal(Date.now());
  let heardAt = Date.now();
  setInterval(() => {
    if (liveness.value.kind !== "lost") now.value = Date.now();
  }, TICK);
  return {
    liveness,
    now,
    heard() {
      heardAt = Date.now();
      if (liveness.value.kind === "live") return;
      now.value = heardAt;
      liveness.value = { kind: "live" };
    },
    confirmed() {
      if (liveness.value.kind === "live") heardAt = Date.now();
    },
    lost(problem) {
      const { value } = liveness;
      if (value.kind === "connecting") liveness.value = { kind: "connecting", problem };
      else if (value.kind === "live") {
        now.value = heardAt;
        liveness.value = { kind: "lost", asOf: heardAt, problem };
      }
    },
  };
}
