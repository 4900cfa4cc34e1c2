/** What a card says, as options of `board add` and `board edit`. */

import { type Command, Option } from "commander";
import type { CardSettings } from "../../client/api/card.ts";
import { readJson, readText } from "./text.ts";
import { priorityValue } from "./values.ts";

/** What `cardOptions` adds to a command. */
export interface CardFlags {
  readonly description?: string;
  /** JSON, or where it is; empty: none. */
  readonly data?: string;
  readonly priority?: number;
}

export function cardOptions(command: Command): Command {
  return command
    .addOption(new Option("--description <text>", "what it is, at length; @file or - reads it from there"))
    .addOption(new Option("--data <json>", "what its workers need, as JSON; @file or - reads it from there"))
    .addOption(
      new Option("--priority <n>", "higher goes first, -1000 to 1000; equals go by age").argParser(priorityValue),
    );
}

/** What is given; throws a `UsageError` for data that is none. */
export function settingsOf({ description, data, priority }: CardFlags): CardSettings {
  return {
    description: description === undefined ? undefined : readText(description),
    data: data === undefined || data === "" ? data : readJson(data),
    priority,
  };
}
