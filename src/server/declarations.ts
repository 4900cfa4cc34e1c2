/** Takes up what the configuration declares of limiters and boards: at the start at once, later in slices, one file after the other. */

import type { LoadedConfig } from "./config/config.ts";
import type { Declaration, Declaring } from "./engine/embedded/declaring.ts";
import type { EmbeddedBoardEngine } from "./engine/embedded/embedded-board-engine.ts";
import type { EmbeddedEngine } from "./engine/embedded/embedded-engine.ts";
import type { Log } from "./log.ts";
import type { BoardsDeclared } from "./machine/board/command.ts";
import { refusalMessage } from "./machine/refusal-message.ts";

export interface Declarations {
  /** Takes all of it up before it returns. */
  takeUpAtStart(config: LoadedConfig): void;
  /**
   * Takes it up a slice at a time. While another file is being taken up it waits for that one's end; of several that wait only
   * the last is taken up.
   */
  takeUp(config: LoadedConfig): void;
  /** Whether all of the last file is taken up. What was refused may be taken up when the file is taken up again. */
  readonly isInForce: boolean;
}

interface DeclarationsOptions {
  readonly engine: EmbeddedEngine;
  readonly boards: Pick<EmbeddedBoardEngine, "declare">;
  readonly log: Log;
}

export function createDeclarations({ engine, boards, log }: DeclarationsOptions): Declarations {
  let refused = false;
  let underWay: Promise<void> | undefined;
  let next: LoadedConfig | undefined;

  function note({ created, changed, deleted, refused: names, applied, whole }: Declaration, total: number): void {
    if (!whole) {
      refused = true;
      log.warn(
        {
          event: "limiters-cut-short",
          applied,
          total,
          created: some(created),
          changed: some(changed),
          deleted: some(deleted),
        },
        "the server stops while the configuration is taken up: the first limiters of the file are as it has them, the others " +
          "as they were, and not all that it no longer declares is deleted; the next start takes up all of it",
      );
      return;
    }
    log.info(
      { event: "limiters-declared", created: some(created), changed: some(changed), deleted: some(deleted) },
      "limiters declared",
    );
    if (names.length === 0) return;
    refused = true;
    log.error(
      { event: "limiters-refused", limiters: some(names) },
      "keyed is not changed while leases or waiters of these limiters are there; their other fields are in force; " +
        "send SIGHUP once they are idle, or declare them under other names",
    );
  }

  function noteBoards({ created, changed, deleted, refused: names, refusals }: BoardsDeclared): void {
    log.info(
      { event: "boards-declared", created: some(created), changed: some(changed), deleted: some(deleted) },
      "boards declared",
    );
    if (names.length === 0) return;
    refused = true;
    log.error(
      { event: "boards-refused", boards: some(names), why: some(refusals.map((refusal) => refusalMessage(refusal))) },
      "cards stand where the file has no place for them: these boards stay as they were; send SIGHUP once the cards are " +
        "gone on, or say renamed_from where a stage has another name",
    );
  }

  async function takeUpOne(config: LoadedConfig, declare: Declaring["declare"]): Promise<void> {
    let declared: Promise<BoardsDeclared | undefined> | undefined;
    // Stages may name limiters of the same file.
    const declaration = await declare(config.limiters, () => {
      declared = boards.declare(config.boards, config.renamedStages);
    });
    note(declaration, config.limiters.length);
    const boardsDeclared = await declared;
    if (boardsDeclared !== undefined) noteBoards(boardsDeclared);
  }

  /** Takes up the file that waits, and those that come meanwhile. */
  async function takeUpAll(declareFirst: Declaring["declare"]): Promise<void> {
    let declare = declareFirst;
    for (let config = next; config !== undefined; config = next) {
      next = undefined;
      refused = false;
      await takeUpOne(config, declare);
      declare = engine.declare;
    }
    underWay = undefined;
  }

  return {
    takeUpAtStart(config) {
      next = config;
      underWay = takeUpAll(engine.declareAtOnce);
    },
    takeUp(config) {
      if (underWay !== undefined) log.info({ event: "config-waits" }, "the file is taken up once the one before is");
      next = config;
      underWay ??= takeUpAll(engine.declare);
    },
    get isInForce() {
      return !refused && underWay === undefined;
    },
  };
}

/** Names in a line of the log. */
const MOST_NAMES = 100;

function some(names: readonly string[]): readonly string[] {
  if (names.length <= MOST_NAMES) return names;
  return [...names.slice(0, MOST_NAMES), `and ${(names.length - MOST_NAMES).toLocaleString("en")} more`];
}
