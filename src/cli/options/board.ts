/** The settings of a board, as options of `board create` and `board set`. */

import { type Command, Option } from "commander";
import type { BoardChanges, BoardSettings } from "../../client/api/board.ts";
import { changesOf } from "./unset.ts";
import { countValue, durationValue } from "./values.ts";

/** What the options of `board set` give: the settings, and names of those that go back to their defaults. */
export interface BoardFlags extends BoardSettings {
  readonly unset?: readonly string[];
}

const OPTIONS: readonly Option[] = [
  new Option("--description <text>", "for people"),
  new Option("--max-attempts <n>", "how often a card may fail in a stage before it is blocked").argParser(countValue),
  new Option("--ttl <duration>", "how long a card outlives its worker, if a pull does not say").argParser(
    durationValue,
  ),
  new Option("--max-cards <n>", "cards on it at once").argParser(countValue),
  new Option("--keep-completed <n>", "how many completed cards are kept").argParser(countValue),
  new Option("--keep-completed-for <duration>", "how long, at most").argParser(durationValue),
  new Option("--max-pullers <n>", "how many may wait in each stage for a card").argParser(countValue),
];

const UNSETTABLE = {
  description: "description",
  "max-attempts": "maxAttempts",
  ttl: "ttl",
  "max-cards": "maxCards",
  "keep-completed": "keepCompleted",
  "keep-completed-for": "keepCompletedFor",
  "max-pullers": "maxPullers",
} as const satisfies Record<string, keyof BoardSettings>;

export function boardOptions(command: Command): Command {
  for (const option of OPTIONS) command.addOption(option);
  return command;
}

/** The changes that are asked for; throws a `UsageError` where that makes no sense. */
export function boardChangesOf(flags: BoardFlags): BoardChanges {
  return changesOf<BoardSettings>(UNSETTABLE, flags);
}
