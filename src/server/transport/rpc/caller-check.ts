/** Makes sure who calls, before a call is looked at any further. */

import type { Socket } from "node:net";
import type { Authenticator, Identity } from "../../access/authenticator.ts";
import { ANONYMOUS, type Caller } from "../../access/caller.ts";

export interface CallerCheck {
  /** Whether nobody is asked, and everybody is anonymous. */
  readonly isOpen: boolean;
  /** Who makes a call of this path; undefined: nobody that counts, and the call is refused. */
  identify(socket: Socket | undefined, path: string, authorization: string | undefined): Identity | Promise<Identity>;
  /** Calls back once, when the credential of a stream counts no more. Returns what calls it off. */
  watch(caller: Caller, onEnded: () => void): () => void;
}

/** Whoever runs the server, or stands before it, asks whether it serves. */
const ASKED_BY_ALL = "/grpc.health.v1.Health/";

export function createCallerCheck(authenticator: Authenticator | undefined): CallerCheck {
  return {
    get isOpen() {
      return authenticator?.isOpen ?? true;
    },
    identify(socket, path, authorization) {
      if (authenticator === undefined || authenticator.isOpen || path.startsWith(ASKED_BY_ALL)) return ANONYMOUS;
      return socket === undefined ? undefined : authenticator.identify(socket, authorization);
    },
    watch: (caller, onEnded) => authenticator?.watch(caller, onEnded) ?? NOTHING,
  };
}

const NOTHING = () => {};
