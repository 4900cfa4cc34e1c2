/** What tells who makes a call, as transports see it. */

import type { Socket } from "node:net";
import type { Caller } from "./caller.ts";

/** Who calls; undefined: the credential does not count, or there is none and one is wanted. */
export type Identity = Caller | undefined;

/** What a call shows of its caller, beside the certificate of its connection. */
export interface Shown {
  /** The header of that name. */
  readonly authorization: string | undefined;
  /** A login as `LoggedIn` has it, of a call that its own page has made. */
  readonly login?: string | undefined;
}

/** A page's caller. */
export interface LoggedIn {
  /** Its credential runs out with the login. */
  readonly caller: Caller;
  /** What the calls of the page are to show. */
  readonly login: string;
}

export interface Authenticator {
  /** Whether nobody is asked, and everybody is anonymous. */
  readonly isOpen: boolean;
  /** Answers at once where no token has to be verified. A login that does not count is as none. */
  identify(socket: Socket, shown: Shown): Identity | Promise<Identity>;
  /** Undefined: the token does not count. */
  logIn(socket: Socket, token: string): Promise<LoggedIn | undefined>;
  /** Calls back once, when the caller's credential counts no more. Returns what calls it off. */
  watch(caller: Caller, onEnded: () => void): () => void;
}
