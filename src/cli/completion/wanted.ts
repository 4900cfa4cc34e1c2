/** What may stand at the cursor of a command line, by the definitions of the commands themselves. */

import type { Argument, Command, Option } from "commander";

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** Things that the server has names of. */
export type Named = "limiter" | "board" | "lease" | "card" | "stage";

export type Wanted =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  | { readonly kind: "names"; readonly of: Named }
  | { readonly kind: "files" }
  | { readonly kind: "folders" }
  /** A command of the shell, and its arguments. */
  | { readonly kind: "commands" }
  | { readonly kind: "nothing" };

/** What was found of a command line. */
export interface Found {
  readonly wanted: Wanted;
  /** Values of options that stand on the line already, by their long names. */
  readonly given: ReadonlyMap<string, string>;
}

/** Gives a command of the program its arguments, options and commands: the program knows names alone. */
export type Load = (command: Command) => Promise<void>;

const NOTHING: Wanted = { kind: "nothing" };

/** `words`: those behind the program's name, the one at the cursor last, as far as it is typed. */
export async function findWanted(program: Command, words: readonly string[], load: Load): Promise<Found> {
  const given = new Map<string, string>();
  let command = program;
  let position = 0;
  let awaiting: Option | undefined;
  const current = words.at(-1) ?? "";
  for (const word of words.slice(0, -1)) {
    if (awaiting !== undefined) {
      given.set(awaiting.long ?? "", word);
      awaiting = undefined;
    } else if (word === "--") {
      return { wanted: { kind: "commands" }, given };
    } else if (word.startsWith("-") && word !== "-") {
      awaiting = takesValue(optionOf(command, word));
    } else {
      const next: Command | undefined =
        position === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      if (next === undefined) {
        position += 1;
      } else {
        if (next.parent === program) await load(next);
        command = next;
      }
    }
  }
  if (awaiting !== undefined) return { wanted: wantedBy(awaiting), given };
  if (current.startsWith("-")) return { wanted: optionsOf(command), given };
  if (position === 0 && command.commands.length > 0) return { wanted: commandsOf(command), given };
  return { wanted: argumentOf(command, position), given };
}

/** An option of the command, or of one above it. */
function optionOf(command: Command | null, word: string): Option | undefined {
  if (command === null) return undefined;
  return (
    command.options.find((option) => option.long === word || option.short === word) ?? optionOf(command.parent, word)
  );
}

function takesValue(option: Option | undefined): Option | undefined {
  return option !== undefined && (option.required || option.optional) ? option : undefined;
}

function wantedBy(option: Option): Wanted {
  const { argChoices, flags, long } = option;
  if (argChoices !== undefined) return wordsOf(argChoices);
  if (long === "--limiter") return { kind: "names", of: "limiter" };
  if (long === "--board") return { kind: "names", of: "board" };
  if (long === "--card") return { kind: "names", of: "card" };
  if (flags.includes("<file>")) return { kind: "files" };
  return flags.includes("<folder>") ? { kind: "folders" } : NOTHING;
}

function optionsOf(command: Command): Wanted {
  const words: Candidate[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) {
    for (const { hidden, long, description } of each.options) {
      if (!hidden && long != null) words.push({ word: long, description });
    }
  }
  return { kind: "words", words: [...words, { word: "--help", description: "say what the command does" }] };
}

function commandsOf(command: Command): Wanted {
  return {
    kind: "words",
    words: command.commands.map((each) => ({ word: each.name(), description: each.description() })),
  };
}

/** The argument that stands there; one that may be repeated goes on. */
function argumentOf(command: Command, position: number): Wanted {
  const args: readonly Argument[] = command.registeredArguments;
  const last = args.at(-1);
  const argument = args[position] ?? (last?.variadic ? last : undefined);
  if (argument === undefined) return NOTHING;
  if (argument.argChoices !== undefined) return wordsOf(argument.argChoices);
  const name = argument.name();
  // In `board create NAME` and its kin.
  if (name === "name" && command.parent?.name() === "board") return { kind: "names", of: "board" };
  return ARGUMENTS[name] ?? NOTHING;
}

const ARGUMENTS: Readonly<Record<string, Wanted>> = {
  limiter: { kind: "names", of: "limiter" },
  limiters: { kind: "names", of: "limiter" },
  lease: { kind: "names", of: "lease" },
  card: { kind: "names", of: "card" },
  stage: { kind: "names", of: "stage" },
  file: { kind: "files" },
};

function wordsOf(words: readonly string[]): Wanted {
  return { kind: "words", words: words.map((word) => ({ word, description: "" })) };
}
