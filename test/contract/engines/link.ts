/** What crosses a link between a remote engine and the thread that decides: structured clones, in both directions in order. */

import type { MessagePort } from "node:worker_threads";
import type { BoardAsk, BoardEngine } from "../../../src/server/engine/board-engine.ts";
import type { Ask, Engine } from "../../../src/server/engine/engine.ts";

/** The two ports, one beside the other. */
export interface Ports {
  readonly limiters: Engine;
  readonly boards: BoardEngine;
}

export type Which = keyof Ports;

/** Methods of a port that resolve with what is there. */
export type Read<E> = {
  [K in keyof E]: E[K] extends (...args: never) => Promise<void>
    ? never
    : E[K] extends (...args: never) => Promise<unknown>
      ? K
      : never;
}[keyof E];

/** A new link to the engines of a stage, which are made with the first. */
export interface Link {
  readonly port: MessagePort;
  readonly stage: number;
}

/** Controls of the stage beyond the link. */
export type Control =
  | { readonly kind: "calm" | "hold" | "let-go" | "end" }
  | { readonly kind: "pass"; readonly micros: number };

/** From the remote engine. `id` names what is answered, `stream` and `watch` what is told later; each is the sender's own. */
export type Request = { readonly of: Which } & (
  | { readonly kind: "submit"; readonly id: number; readonly command: Ask | BoardAsk }
  | { readonly kind: "read"; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: "open-stream" | "close-stream"; readonly stream: number }
  | { readonly kind: "watch" | "unwatch"; readonly watch: number }
);

export type ToThread = Request | { readonly kind: "control"; readonly id: number; readonly control: Control };

/** From the thread. */
export type FromThread =
  | { readonly kind: "value"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly decided: "no" | "unknown" }
  | {
      readonly kind: "news";
      readonly of: Which;
      readonly stream: number;
      readonly about: string;
      readonly news: unknown;
    }
  | { readonly kind: "changes"; readonly of: Which; readonly watch: number; readonly changes: unknown };
