/**
 * The parts of a client that many never use: boards, and the administration of limiters. In Node they are there from the
 * start. In a browser each comes in a file of its own, when it is first used.
 */

import type { BoardClient } from "../api/board-client.ts";
import type { Boards } from "../api/boards.ts";
import type { ClientEvent } from "../api/events.ts";
import type { Limiters } from "../api/limiters.ts";
import type { LeakGuard } from "../hold/leak-guard.ts";
import type { LastWord } from "../rpc/page.ts";
import type { AskPorts, CallPorts } from "../rpc/ports.ts";

export interface Parts {
  openBoards(options: BoardPartOptions): BoardPart;
  openLimiters(ports: CallPorts): Limiters;
}

export interface BoardPartOptions {
  readonly ports: AskPorts;
  /** Aborts when nothing can be said any more: the connections are closed. */
  readonly closed: AbortSignal;
  /** ms for a worker that ends its work to wait for the server's word. */
  readonly confirmWithin: () => number;
  readonly onEvent: ((event: ClientEvent) => void) | undefined;
  /** Names the worker, where a pull does not. */
  readonly worker: string | undefined;
  readonly guard: LeakGuard;
}

export interface BoardPart {
  readonly boards: Boards;
  board(name: string): BoardClient;
  /** What gives back every card that the client works on, but what is a person's, when its page goes away. */
  lastWords(): readonly LastWord[];
  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void;
  /** Gives every card back because of `reason`, but what is a person's, and waits until the server knows. */
  abandonAll(reason: unknown): Promise<void>;
}
