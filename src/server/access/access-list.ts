/** The access list: entries that allow, and add up. What none allows is refused. */

import type { Caller } from "./caller.ts";
import { compile, compileFor, type Matcher } from "./pattern.ts";
import type { Bounds, Reach, Rights, Verb } from "./rights.ts";

/** One entry, as the file has it. */
export interface AccessEntry {
  readonly who: readonly string[];
  readonly may: readonly Verb[];
  readonly limiters: readonly string[];
  readonly boards: readonly string[];
  /** Empty: any key, and none. */
  readonly keys: readonly string[];
  readonly bounds: Bounds | undefined;
}

export interface AccessList {
  /** Returns what a caller may do: compiled when it is first asked for, and kept as long as the caller's object. */
  of(caller: Caller): Rights;
}

/** What is asked about: a limiter, one key of it, or a board. */
export type AccessSubject =
  | { readonly kind: "limiter"; readonly name: string; readonly key?: string | undefined }
  | { readonly kind: "board"; readonly name: string };

/** An entry as it is for one caller. */
interface Allowance {
  readonly may: ReadonlySet<Verb>;
  readonly limiters: readonly Matcher[];
  readonly boards: readonly Matcher[];
  /** Undefined: any. */
  readonly keys: readonly Matcher[] | undefined;
  /** Whether it is for all limiters, or boards. */
  readonly allLimiters: boolean;
  readonly allBoards: boolean;
}

/** What is known of one limiter: with all of it, with keys that one of these matches, or none. */
type Known = "whole" | readonly Matcher[];

/** Names of which a caller's rights are remembered; beyond that they are found out anew. */
const MOST_REMEMBERED = 1_000;
const NO_KEYS: readonly Matcher[] = [];

export function createAccessList(entries: readonly AccessEntry[]): AccessList {
  const groups = entries.map(({ who }) => who.map(compileWho));
  const known = new WeakMap<Caller, Rights>();
  return {
    of(caller) {
      let rights = known.get(caller);
      if (rights === undefined) {
        const own = entries.filter((_, index) => groups[index]?.some((isFor) => isFor(caller)));
        rights = createRights(caller, own);
        known.set(caller, rights);
      }
      return rights;
    },
  };
}

/** Returns the number of the first entry that allows it, from 0; undefined: none does. */
export function allowingEntry(
  entries: readonly AccessEntry[],
  caller: Caller,
  verb: Verb,
  subject: AccessSubject,
): number | undefined {
  const index = entries.findIndex((entry) => {
    if (!entry.who.some((who) => compileWho(who)(caller))) return false;
    const rights = createRights(caller, [entry]);
    if (subject.kind === "board") return rights.mayBoard(verb, subject.name);
    if (subject.key !== undefined) return rights.mayKey(verb, subject.name, subject.key);
    return verb === "acquire" ? rights.mayKey(verb, subject.name, "") : rights.reach(verb, subject.name) === "whole";
  });
  return index === -1 ? undefined : index;
}

/** Whom a text of `who` is for. A pattern of names is never for the anonymous. */
function compileWho(who: string): (caller: Caller) => boolean {
  if (who === "anonymous") return ({ kind }) => kind === "anonymous";
  if (who.startsWith("group:")) {
    const isGroup = compile(who.slice("group:".length));
    return ({ kind, groups }) => kind !== "anonymous" && groups.some(isGroup);
  }
  const isName = compile(who);
  return ({ kind, name }) => kind !== "anonymous" && isName(name);
}

function createRights(caller: Caller, entries: readonly AccessEntry[]): Rights {
  const allowances = entries.map((entry) => allowanceOf(entry, caller));
  const limiters: Record<Verb, Map<string, Known>> = { acquire: new Map(), observe: new Map(), operate: new Map() };
  const boards: Record<Verb, Map<string, boolean>> = { acquire: new Map(), observe: new Map(), operate: new Map() };
  const of = (verb: Verb) => allowances.filter(({ may }) => may.has(verb));

  function known(verb: Verb, limiter: string): Known {
    const remembered = limiters[verb].get(limiter);
    if (remembered !== undefined) return remembered;
    const fitting = of(verb).filter((each) => each.limiters.some((matches) => matches(limiter)));
    const found = fitting.some(({ keys }) => keys === undefined)
      ? "whole"
      : fitting.flatMap(({ keys }) => keys ?? NO_KEYS);
    remember(limiters[verb], limiter, found);
    return found;
  }

  return {
    isKnown: caller.kind !== "anonymous",
    reach(verb, limiter): Reach {
      const found = known(verb, limiter);
      if (found === "whole") return found;
      return found.length > 0 ? "keys" : "none";
    },
    mayKey(verb, limiter, key) {
      const found = known(verb, limiter);
      return found === "whole" || found.some((matches) => matches(key));
    },
    mayBoard(verb, board) {
      const remembered = boards[verb].get(board);
      if (remembered !== undefined) return remembered;
      const may = of(verb).some((each) => each.boards.some((matches) => matches(board)));
      remember(boards[verb], board, may);
      return may;
    },
    mayAll: (verb) => {
      const own = of(verb);
      return (
        own.some(({ allLimiters, keys }) => allLimiters && keys === undefined) && own.some(({ allBoards }) => allBoards)
      );
    },
    bounds: entries.find(({ bounds }) => bounds !== undefined)?.bounds,
  };
}

function allowanceOf(entry: AccessEntry, caller: Caller): Allowance {
  const compiled = (patterns: readonly string[]) => patterns.flatMap((pattern) => compileFor(pattern, caller) ?? []);
  return {
    may: new Set(entry.may),
    limiters: compiled(entry.limiters),
    boards: compiled(entry.boards),
    keys: entry.keys.length === 0 ? undefined : compiled(entry.keys),
    allLimiters: entry.limiters.includes("*"),
    allBoards: entry.boards.includes("*"),
  };
}

/** A caller may ask for any number of names: what is remembered of them stays small. */
function remember<T>(map: Map<string, T>, name: string, value: T): void {
  if (map.size >= MOST_REMEMBERED) map.clear();
  map.set(name, value);
}
