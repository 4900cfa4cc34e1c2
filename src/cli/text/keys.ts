/** What a terminal sends when keys are pressed. */

export type Key = { readonly kind: "text"; readonly text: string } | { readonly kind: NamedKey };

export type NamedKey =
  | "up"
  | "down"
  | "page-up"
  | "page-down"
  | "home"
  | "end"
  | "enter"
  | "escape"
  | "backspace"
  | "tab"
  | "interrupt"
  | "other";

const SEQUENCES = new Map<string, NamedKey>([
  ["\u001b[A", "up"],
  ["\u001bOA", "up"],
  ["\u001b[B", "down"],
  ["\u001bOB", "down"],
  ["\u001b[5~", "page-up"],
  ["\u001b[6~", "page-down"],
  ["\u001b[H", "home"],
  ["\u001bOH", "home"],
  ["\u001b[1~", "home"],
  ["\u001b[F", "end"],
  ["\u001bOF", "end"],
  ["\u001b[4~", "end"],
]);
const CONTROLS = new Map<string, NamedKey>([
  ["\r", "enter"],
  ["\n", "enter"],
  ["\t", "tab"],
  ["\u007f", "backspace"],
  ["\b", "backspace"],
  ["\u0003", "interrupt"],
  ["\u0004", "interrupt"],
]);
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
const SEQUENCE = /^\u001b(?:\[[0-9;?]*[ -/]*[@-~]|O[A-Za-z])/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
const BEGUN = /^\u001b(?:\[[0-9;?]*|O)?$/;

export interface Keys {
  readonly keys: readonly Key[];
  /** The beginning of a sequence that the next bytes go on with, or the Escape key: time tells. */
  readonly rest: string;
}

/** Reads keys from what a terminal has sent. */
export function parseKeys(sent: string): Keys {
  const keys: Key[] = [];
  let left = sent;
  while (left !== "") {
    if (BEGUN.test(left)) return { keys, rest: left };
    const [sequence] = SEQUENCE.exec(left) ?? [];
    const [first = ""] = left;
    if (sequence !== undefined) keys.push({ kind: SEQUENCES.get(sequence) ?? "other" });
    else if (first === "\u001b") keys.push({ kind: "escape" });
    else if (first < " " || first === "\u007f") keys.push({ kind: CONTROLS.get(first) ?? "other" });
    else keys.push({ kind: "text", text: first });
    left = left.slice((sequence ?? first).length);
  }
  return { keys, rest: "" };
}
