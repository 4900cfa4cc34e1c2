/** Makes sure who calls and that it may have one more call, before a call is looked at any further. */

import type { Socket } from "node:net";
import type { Authenticator, Identity, LoggedIn, Shown } from "../../access/authenticator.ts";
import { ANONYMOUS, type Caller } from "../../access/caller.ts";
import type { CallerQuotas } from "../../access/caller-quotas.ts";
import { refusalError, type WireError } from "../../wire/error-wire.ts";

export interface CallerCheck {
  /** Whether nobody is asked, and everybody is anonymous. */
  readonly isOpen: boolean;
  /** Who makes a call of this path; undefined: nobody that counts, and the call is refused. */
  identify(socket: Socket | undefined, path: string, shown: Shown): Identity | Promise<Identity>;
  /** As of `Authenticator`; undefined, too, where nobody is asked. */
  logIn(socket: Socket, token: string): Promise<LoggedIn | undefined>;
  /** Counts a call of this caller. Returns why it is refused; undefined: it is not. */
  refusalOf(caller: Caller, socket: Socket | undefined, path: string): WireError | undefined;
  /** Calls back once, when the credential of a stream counts no more. Returns what calls it off. */
  watch(caller: Caller, onEnded: () => void): () => void;
}

/** Whoever runs the server, or stands before it, asks whether it serves. */
const ASKED_BY_ALL = "/grpc.health.v1.Health/";

export interface CallerCheckOptions {
  /** Undefined: everybody is anonymous. */
  readonly authenticator?: Authenticator | undefined;
  /** Undefined: nothing is bounded. */
  readonly quotas?: CallerQuotas | undefined;
  /** The paths of what keeps or gives back. */
  readonly givingBack: ReadonlySet<string>;
}

export function createCallerCheck({ authenticator, quotas, givingBack }: CallerCheckOptions): CallerCheck {
  return {
    get isOpen() {
      return authenticator?.isOpen ?? true;
    },
    identify(socket, path, shown) {
      if (authenticator === undefined || authenticator.isOpen || path.startsWith(ASKED_BY_ALL)) return ANONYMOUS;
      return socket === undefined ? undefined : authenticator.identify(socket, shown);
    },
    refusalOf(caller, socket, path) {
      if (quotas === undefined || socket === undefined || path.startsWith(ASKED_BY_ALL)) return undefined;
      const no =
        quotas.refusalOfConnection(caller, socket) ??
        quotas.refusalOfRequest(caller, givingBack.has(path) ? "gives-back" : "asks");
      return no && refusalError(no);
    },
    logIn: async (socket, token) => authenticator?.logIn(socket, token),
    watch: (caller, onEnded) => authenticator?.watch(caller, onEnded) ?? NOTHING,
  };
}

const NOTHING = () => {};
