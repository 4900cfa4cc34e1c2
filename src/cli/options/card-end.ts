/** What the commands that end work on a card have in common. */

import { type Command, Option } from "commander";
import type { Card } from "../../client/gen/ggen/backpressure/v1/card_pb.ts";
import { tokenValue } from "./values.ts";

export interface EndFlags {
  /** Undefined: a person's card. */
  readonly token?: bigint;
}

export function tokenOption(command: Command): Command {
  return command.addOption(
    new Option("--token <n>", "the fencing token of the pull; needed for all but a person's card").argParser(
      tokenValue,
    ),
  );
}

/** `finished 7: it is in Review`. */
export function endedWords(what: string, id: string, card: Card | undefined): string {
  return card === undefined ? `${what} ${id}` : `${what} ${id}: it is in ${card.stage}`;
}
