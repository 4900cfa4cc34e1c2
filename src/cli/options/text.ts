/** Texts that are given on the command line, in a file, or on standard input. */

import { readFileSync } from "node:fs";
import { UsageError } from "../session/failure.ts";

const STANDARD_INPUT = 0;

/** `@file`: what is in it; `-`: standard input; anything else is the text itself. Throws a `UsageError`. */
export function readText(value: string): string {
  if (value !== "-" && !value.startsWith("@")) return value;
  try {
    return readFileSync(value === "-" ? STANDARD_INPUT : value.slice(1), "utf8");
  } catch (error) {
    throw new UsageError(
      `cannot read ${value === "-" ? "standard input" : value.slice(1)}: ${(error as Error).message}`,
    );
  }
}

/** The same where it has to be JSON. */
export function readJson(value: string): string {
  const text = readText(value).trim();
  try {
    JSON.parse(text);
  } catch (error) {
    throw new UsageError(`the data is not JSON: ${(error as Error).message}`);
  }
  return text;
}
