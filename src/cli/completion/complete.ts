/** What the scripts of the shells call: the candidates for the word at the cursor, one a line. */

import type { Command } from "commander";
import { type CredentialFlags, useCredentials } from "../session/credentials.ts";
import { printable } from "../text/width.ts";
import { namesOf } from "./names.ts";
import { type Candidate, findWanted, type Load, type Wanted } from "./wanted.ts";

export interface CompleteOptions {
  readonly program: Command;
  readonly load: Load;
  /** Where the server is, and which board is meant, where the line does not say. */
  readonly address: string;
  readonly board: string;
  /** What the environment says of the connection. */
  readonly credentials: CredentialFlags;
}

/**
 * `args`: the words behind the program's name up to the cursor; or `--line` and all that is typed up to it, since bash parts
 * words at colons. A candidate and what it is stand on one line, with a tab between; a line that begins with a colon says what
 * else the shell may offer: `:files`, `:folders`, `:commands`.
 */
export async function complete(args: readonly string[], options: CompleteOptions): Promise<readonly string[]> {
  const words = args[0] === "--line" ? splitLine(args[1] ?? "").slice(1) : args;
  const { wanted, given } = await findWanted(options.program, words, options.load);
  const current = words.at(-1) ?? "";
  const address = given.get("--address") ?? options.address;
  const board = given.get("--board") ?? options.board;
  useCredentials({ ...options.credentials, ...credentialsIn(given) });
  const candidates = await candidatesOf(wanted, { address, board });
  if (typeof candidates === "string") return [candidates];
  return candidates
    .filter(({ word }) => word.startsWith(current))
    .map(({ word, description }) => `${printable(word)}\t${printable(description)}`);
}

function credentialsIn(given: ReadonlyMap<string, string>): CredentialFlags {
  const flags = {
    caFile: given.get("--ca-file"),
    certFile: given.get("--cert-file"),
    keyFile: given.get("--key-file"),
    serverName: given.get("--server-name"),
    tokenFile: given.get("--token-file"),
  };
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

async function candidatesOf(
  wanted: Wanted,
  where: { readonly address: string; readonly board: string },
): Promise<readonly Candidate[] | string> {
  switch (wanted.kind) {
    case "words":
      return wanted.words;
    case "names":
      return namesOf(wanted.of, where);
    case "nothing":
      return [];
    default:
      return `:${wanted.kind}`;
  }
}

/** The words of a line as a shell reads them; the last is as far as it is typed, and may be empty. */
export function splitLine(line: string): readonly string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let index = 0; index < line.length; index++) {
    const letter = line[index] as string;
    if (letter === "\\" && quote !== "'") {
      index += 1;
      word += line[index] ?? "";
    } else if (quote !== "") {
      if (letter === quote) quote = "";
      else word += letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
    } else if (letter === " " || letter === "\t") {
      if (word !== "" || /\S/.test(line[index - 1] ?? "")) words.push(word);
      word = "";
    } else {
      word += letter;
    }
  }
  return [...words, word];
}
