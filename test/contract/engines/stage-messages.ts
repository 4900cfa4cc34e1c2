/** What is said between a stage and the thread of its engines, beside the link. */

import type { MessagePort } from "node:worker_threads";

/** A new link to the engines of a stage, which are made with the first. */
export interface NewLink {
  readonly stage: number;
  readonly link: MessagePort;
  /** Carries `Control`s; each is answered with nothing when it is carried out. */
  readonly controls: MessagePort;
}

export type Control =
  | { readonly kind: "calm" | "hold" | "let-go" | "end" }
  /** µs. */
  | { readonly kind: "pass"; readonly micros: number };
