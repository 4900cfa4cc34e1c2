/** What tells who makes a call, as transports see it. */

import type { Socket } from "node:net";
import type { Caller } from "./caller.ts";

/** Who calls; undefined: the credential does not count, or there is none and one is wanted. */
export type Identity = Caller | undefined;

export interface Authenticator {
  /** Whether nobody is asked, and everybody is anonymous. */
  readonly isOpen: boolean;
  /** Answers at once where no token has to be verified. `authorization`: the header of that name. */
  identify(socket: Socket, authorization: string | undefined): Identity | Promise<Identity>;
  /** Calls back once, when the caller's credential counts no more. Returns what calls it off. */
  watch(caller: Caller, onEnded: () => void): () => void;
}
