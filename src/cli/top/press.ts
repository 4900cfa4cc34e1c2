/** What keys do. */

import { arrangeBoards } from "../output/top-tables.ts";
import type { Key } from "../text/keys.ts";
import { arrange, isSortKey } from "./arrange.ts";
import { seenAt, type TopState } from "./state.ts";

/** `quit`: the key ends it. `opened`: there is something to be read. */
export type Pressed = "quit" | "opened" | "done";

export interface PressOptions {
  /** Rows, or lines, that one page has. */
  readonly page: number;
  /** ms, monotonic. */
  readonly now: number;
}

export function press(state: TopState, key: Key, options: PressOptions): Pressed {
  if (key.kind === "interrupt") return "quit";
  if (state.isFiltering) return editFilter(state, key);
  if (key.kind === "text" && key.text === "q") return "quit";
  return state.opened === undefined ? pressInList(state, key, options) : pressInDetail(state, key, options);
}

function editFilter(state: TopState, key: Key): Pressed {
  switch (key.kind) {
    case "text":
      setFilter(state, state.filter + key.text);
      break;
    case "backspace":
      setFilter(state, [...state.filter].slice(0, -1).join(""));
      break;
    case "enter":
      state.isFiltering = false;
      break;
    case "escape":
      state.isFiltering = false;
      setFilter(state, "");
      break;
  }
  return "done";
}

/** What is sought stands first. */
function setFilter(state: TopState, filter: string): void {
  state.filter = filter;
  toFirst(state);
}

function toFirst(state: TopState): void {
  state.selected = undefined;
  state.selectedIndex = 0;
  state.scrolled = 0;
}

function pressInList(state: TopState, key: Key, { page, now }: PressOptions): Pressed {
  const rows = () => namesOf(state, now);
  switch (key.kind) {
    case "escape":
      setFilter(state, "");
      return "done";
    case "tab":
      state.tab = state.tab === "limiters" ? "boards" : "limiters";
      setFilter(state, "");
      return "done";
    case "enter": {
      const name = rows()[state.selectedIndex];
      if (name === undefined) return "done";
      state.selected = name;
      state.opened = { tab: state.tab, name, detail: undefined, scrolled: 0 };
      return "opened";
    }
    case "text":
      if (key.text === "/") state.isFiltering = true;
      else if (isSortKey(key.text)) {
        state.sort = key.text;
        toFirst(state);
      } else select(state, rows, stepOf(key, page));
      return "done";
    default:
      select(state, rows, stepOf(key, page));
      return "done";
  }
}

function select(state: TopState, rows: () => readonly string[], step: number): void {
  if (step === 0) return;
  const names = rows();
  const index = Math.max(0, Math.min(names.length - 1, state.selectedIndex + step));
  state.selectedIndex = index;
  state.selected = names[index];
}

function pressInDetail(state: TopState, key: Key, { page }: PressOptions): Pressed {
  const { opened } = state;
  if (opened === undefined || key.kind === "escape" || key.kind === "backspace") state.opened = undefined;
  else opened.scrolled = Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, opened.scrolled + stepOf(key, page)));
  return "done";
}

/** Rows that a key moves by, down or up. */
function stepOf(key: Key, page: number): number {
  const name = key.kind === "text" ? (LETTERS[key.text] ?? "other") : key.kind;
  switch (name) {
    case "up":
      return -1;
    case "down":
      return 1;
    case "page-up":
      return -page;
    case "page-down":
      return page;
    case "home":
      return Number.NEGATIVE_INFINITY;
    case "end":
      return Number.MAX_SAFE_INTEGER;
    default:
      return 0;
  }
}

const LETTERS: Readonly<Record<string, Key["kind"]>> = { j: "down", k: "up", g: "home", G: "end", " ": "page-down" };

/** The rows in their order. */
function namesOf(state: TopState, now: number): readonly string[] {
  if (state.tab === "boards") return arrangeBoards(state.boards, state.filter).map(({ name }) => name);
  return arrange(seenAt(state, now), state.filter, state.sort).map(({ limiter }) => limiter.name);
}
