/** Whether a caller's rights are enough for what it asks: decided by name, before anything is looked at. */

import type { Rights, Verb } from "../../access/rights.ts";
import { notAllowed, tellsOfThings, type WireError } from "../../wire/error-wire.ts";
import type { Resource, Rule } from "./rules.ts";

/** Returns why a request is refused; undefined: it is not. */
export function refusalOf<I>(rule: Rule<I>, rights: Rights, request: I): WireError | undefined {
  switch (rule.kind) {
    case "open":
    case "service":
    case "own-work":
      return undefined;
    case "known":
      return rights.isKnown ? undefined : notAllowed("observe", "reflection");
    case "named":
      for (const resource of rule.of(request)) {
        if (!isAllowed(rights, rule.verb, resource)) return notAllowed(rule.verb, nameOf(resource), keyOf(resource));
      }
      return undefined;
  }
}

/** Whether what is found on the board may be told to a caller whose work it may not be. */
export function mayHearOf(rights: Rights, board: string): boolean {
  return rights.mayBoard("acquire", board) || rights.mayBoard("observe", board);
}

/** Returns what a caller hears of an error that tells of a board of which it may hear nothing. */
export function hide(board: string, error: WireError): WireError {
  return tellsOfThings(error) ? notAllowed("acquire", `board/${board}`) : error;
}

function isAllowed(rights: Rights, verb: Verb, resource: Resource): boolean {
  switch (resource.kind) {
    case "key":
      return rights.mayKey(verb, resource.limiter, resource.key);
    case "limiter":
      return rights.reach(verb, resource.limiter) === "whole";
    case "part":
      return rights.reach(verb, resource.limiter) !== "none";
    case "board":
      return rights.mayBoard(verb, resource.board);
    case "all":
      return rights.mayAll(verb);
  }
}

/** `limiter/payments-db`, `board/releases`, `*`. */
function nameOf(resource: Resource): string {
  switch (resource.kind) {
    case "key":
    case "limiter":
    case "part":
      return `limiter/${resource.limiter}`;
    case "board":
      return `board/${resource.board}`;
    case "all":
      return "*";
  }
}

function keyOf(resource: Resource): string {
  return resource.kind === "key" ? resource.key : "";
}
