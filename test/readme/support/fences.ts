/** The fenced blocks of a page of Markdown. */

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
