/** A session at both engines: it begins, shows that it lives, and ends at the two together. */

import type { BoardEngine } from "../../engine/board-engine.ts";
import type { Engine, EngineUnavailable } from "../../engine/engine.ts";
import type { SessionCard } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { StreamEnd } from "../rpc.ts";
import { type BoardSide, createBoardSide } from "./board-side.ts";
import { createLimiterSide, type LimiterSide, type SideOptions } from "./limiter-side.ts";
import type { Side } from "./open-commands.ts";

/** What a session that is taken up again still has. */
export interface Resumed {
  readonly leaseIds: readonly string[];
  readonly cards: readonly SessionCard[];
}

export interface Sides {
  readonly limiters: LimiterSide;
  /** Returns the side of boards, which is opened with the first command for it. */
  boards(): BoardSide;
  /** Undefined: the session has nothing there. */
  at(side: Side): LimiterSide | BoardSide | undefined;
  /** Begins a session. */
  open(opened: () => void): void;
  /** Takes it up again; undefined: nothing is left of it. Not called once the session was left. */
  resume(resumed: (what: Resumed | undefined) => void): void;
  /** Renews all that is held. `validFor`: µs; undefined: nothing is bound to a time. */
  renew(renewed: (validFor: number | undefined) => void, failed: (error: EngineUnavailable) => void): void;
  /** A command goes to this engine, which is a sign of life there. */
  touch(side: Side): void;
  /** A message has been carried out: the engines to which none of its commands went are notified that the client lives. */
  showLife(): void;
  leave(how: StreamEnd): void;
}

interface Engines {
  readonly engine: Engine;
  readonly boards: BoardEngine;
}

export function createSides({ engine, boards }: Engines, options: SideOptions): Sides {
  const { lose } = options;
  const limiters = createLimiterSide(engine, options);
  let boardSide: BoardSide | undefined;
  let touched: Record<Side, boolean> = { limiters: false, boards: false };
  let isLeft = false;

  function resumeBoards(resumed: (cards: readonly SessionCard[] | undefined) => void): void {
    const side = createBoardSide(boards, options);
    // Its answer may be a while away: a session that is left meanwhile is left there, too.
    boardSide = side;
    side.resume((cards) => {
      if (isLeft) return;
      if (cards === undefined) {
        side.forget();
        boardSide = undefined;
      }
      resumed(cards);
    }, lose);
  }

  return {
    limiters,
    boards() {
      if (boardSide === undefined) {
        boardSide = createBoardSide(boards, options);
        boardSide.open(lose);
      }
      return boardSide;
    },
    at: (side) => (side === "limiters" ? limiters : boardSide),
    open: (opened) => limiters.open(opened, lose),

    /** A session may have something left at one engine alone: it is opened anew at the other, as soon as that is needed. */
    resume(resumed) {
      limiters.resume((leaseIds) => {
        if (isLeft) return;
        resumeBoards((cards = NONE) => {
          if (leaseIds !== undefined) resumed({ leaseIds, cards });
          else if (boardSide === undefined) resumed(undefined);
          else limiters.open(() => resumed({ leaseIds: NONE, cards }), lose);
        });
      }, lose);
    },

    renew(renewed, failed) {
      touched = { limiters: true, boards: true };
      limiters.renew((ofLeases) => {
        if (boardSide === undefined) renewed(ofLeases);
        else boardSide.renew((ofCards) => renewed(least(ofLeases, ofCards)), failed);
      }, failed);
    },

    touch(side) {
      touched[side] = true;
    },

    showLife() {
      if (!touched.limiters) limiters.renew(NOTHING, NOTHING);
      if (!touched.boards) boardSide?.renew(NOTHING, NOTHING);
      touched = { limiters: false, boards: false };
    },

    leave(how) {
      isLeft = true;
      limiters.leave(how);
      boardSide?.leave(how);
    },
  };
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

const NONE: readonly never[] = [];
const NOTHING = () => {};
