/** The fenced blocks of a page of Markdown. */

import type { TestContext } from "vitest";

export interface Fence {
  readonly language: string;
  /** The word behind the language; empty where there is none. */
  readonly name: string;
  readonly text: string;
}

const FENCE = /^```(\S*)[ ]*(.*)\n([\s\S]*?)^```$/gm;

export function readFences(markdown: string): readonly Fence[] {
  return Array.from(markdown.matchAll(FENCE), ([, language = "", name = "", text = ""]) => ({ language, name, text }));
}

/** Runs one block, and says whether it did what its page says of it. */
export type Runner = (text: string, context: TestContext) => Promise<void>;
