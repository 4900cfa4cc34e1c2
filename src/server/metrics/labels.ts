/** The labels of one series, written once for all families that have them. */

import type { Label } from "./families.ts";

export class Labels {
  readonly names: readonly Label[];
  readonly values: readonly string[];
  #text: string | undefined;

  constructor(names: readonly Label[], values: readonly string[]) {
    this.names = names;
    this.values = values;
  }

  /** As both text formats write them, without braces: `limiter="db",reason="QUEUE_FULL"`; empty without labels. */
  get text(): string {
    this.#text ??= this.names.map((name, index) => `${name}="${escaped(this.values[index] ?? "")}"`).join(",");
    return this.#text;
  }
}

export const NO_LABELS: Labels = new Labels([], []);

function escaped(value: string): string {
  return value.replaceAll(/[\\"\n]/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };
