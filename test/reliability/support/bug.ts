/** Bugs that are put into a server on purpose, as it loads its sources: what looks for such bugs must find them. */

export interface Bug {
  readonly file: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly replace: string;
}

/** For Node itself: the server that it starts has them, in all its threads. */
export function withBugs(bugs: readonly Bug[]): readonly string[] {
  if (bugs.length === 0) return [];
  const putIn = new URL("put-bugs-in.ts", import.meta.url);
  const texts = bugs.map(({ file, find, replace }): Bug => ({ file, find, replace }));
  putIn.searchParams.set("bugs", JSON.stringify(texts));
  return ["--import", putIn.href];
}
