/**
 * The board machine: cards move only when a stage pulls them, and a stage pulls only when it has room. Pure, as the
 * machine for limiters is: the same commands at the same instants always have the same outcomes.
 */

import { type Term, takeExpired } from "../session.ts";
import { createBoard, declareBoards, deleteBoard, updateBoard } from "./board-commands.ts";
import { addCard, deleteCard, updateCard } from "./card-commands.ts";
import { forgetCompleted } from "./cards.ts";
import type { BoardChange, BoardCommand, BoardEvent, BoardOutcome, BoardOutcomeOf, ClaimEffect } from "./command.ts";
import { pullCard, resumeWork } from "./pull-commands.ts";
import { giveUpPuller, settleBoards } from "./puller-queue.ts";
import type { BoardRecords } from "./record.ts";
import { type RestoredBoards, restoreBoards } from "./restore.ts";
import { leaveSession, openSession, renewSession, resumeSession } from "./session-commands.ts";
import { type BoardMachineOptions, type BoardState, createBoardState } from "./state.ts";
import {
  abandonPull,
  blockCard,
  concludeWork,
  expireWork,
  holdClaim,
  leavePull,
  loseClaim,
  renewWork,
  settleClaim,
  unblockCard,
  withdrawPull,
} from "./work-commands.ts";

export type { BoardMachineOptions, BoardState } from "./state.ts";

/** What one step has come to. */
export interface BoardStep<O> {
  /** For the asker; it comes before the events. */
  readonly outcome: O;
  readonly events: readonly BoardEvent[];
  readonly changes: readonly BoardChange[];
  /** What is to be done at limiters, in order. */
  readonly claims: readonly ClaimEffect[];
  /** µs: when the machine wants to be stepped again; Infinity: never. */
  readonly wakeAt: number;
}

export interface BoardMachine {
  /** Brings the state up to `now` (µs, monotonic), then carries the command out, then lets every stage pull. */
  step<C extends BoardCommand>(command: C, now: number): BoardStep<BoardOutcomeOf<C>>;
  /** Once, before the first step: brings back what records say. */
  restore(records: BoardRecords, now: number): RestoredBoards;
  readonly state: BoardState;
}

export function createBoardMachine(options: BoardMachineOptions = {}): BoardMachine {
  const state = createBoardState(options);
  return {
    state,
    restore(records, now) {
      state.now = now;
      return restoreBoards(state, records);
    },
    step<C extends BoardCommand>(command: C, now: number) {
      state.events = [];
      state.changes = [];
      state.claims = [];
      state.now = Math.max(state.now, now);
      if (state.deadlines.earliest <= state.now) settleTime(state);
      const outcome = carryOut(state, command) as BoardOutcomeOf<C>;
      settleBoards(state);
      return {
        outcome,
        events: state.events,
        changes: state.changes,
        claims: state.claims,
        wakeAt: state.deadlines.earliest,
      };
    },
  };
}

/** First what frees cards, then pulls, and only then do pullers give up: none times out that could have been served. */
function settleTime(state: BoardState): void {
  const givingUp = [];
  for (let due = state.deadlines.takeDue(state.now); due; due = state.deadlines.takeDue(state.now)) {
    switch (due.kind) {
      case "work":
        expireWork(state, due);
        break;
      case "term":
        expire(state, due);
        break;
      case "board":
        forgetCompleted(state, due);
        break;
      case "puller":
        givingUp.push(due);
        break;
    }
  }
  settleBoards(state);
  givingUp.sort((a, b) => a.arrival - b.arrival);
  for (const puller of givingUp) if (state.pullers.has(puller.id)) giveUpPuller(state, puller);
  // What was kept for them is free.
  settleBoards(state);
}

function expire(state: BoardState, term: Term): void {
  for (const id of takeExpired(state, term)) {
    const work = state.works.get(id);
    if (work !== undefined) expireWork(state, work);
  }
}

function carryOut(state: BoardState, command: BoardCommand): BoardOutcome {
  switch (command.kind) {
    case "create-board":
      return createBoard(state, command);
    case "update-board":
      return updateBoard(state, command);
    case "delete-board":
      return deleteBoard(state, command);
    case "declare-boards":
      return declareBoards(state, command);
    case "add-card":
      return addCard(state, command);
    case "update-card":
      return updateCard(state, command);
    case "delete-card":
      return deleteCard(state, command);
    case "pull":
      return pullCard(state, command);
    case "resume-work":
      return resumeWork(state, command);
    case "open-session":
      return openSession(state, command);
    case "resume-session":
      return resumeSession(state, command);
    case "renew-session":
      return renewSession(state, command);
    case "leave-session":
      return leaveSession(state, command);
    case "leave-pull":
      return leavePull(state, command);
    case "withdraw-pull":
      return withdrawPull(state, command);
    case "abandon-pull":
      return abandonPull(state, command);
    case "settle-claim":
      return settleClaim(state, command);
    case "hold-claim":
      return holdClaim(state, command);
    case "lose-claim":
      return loseClaim(state, command);
    case "renew-work":
      return renewWork(state, command);
    case "finish":
    case "give-back":
    case "send-back":
      return concludeWork(state, command);
    case "block":
      return blockCard(state, command);
    case "unblock":
      return unblockCard(state, command);
    case "wake":
      return DONE;
  }
}

const DONE = { kind: "done" } as const;
