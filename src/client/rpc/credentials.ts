/** The token of a client: where it comes from, and when another is asked for. */

import type { Clock } from "./clock.ts";

/** A token, or what returns the one that is good now. */
export type TokenSource = string | (() => string | Promise<string>);

export interface Credentials {
  /** The token for a call that is made now. Rejects with what its source throws. */
  current(): Promise<string>;
  /** The last one; undefined: there was none yet. */
  readonly latest: string | undefined;
  /**
   * The server has refused `token`: asks once more, unless that has just taken the place of another that was refused. Resolves with
   * whether there is another now.
   */
  replace(token: string): Promise<boolean>;
  /** The server has answered a call with this token. */
  accepted(token: string): void;
  /** Calls back once, when another token has taken the place of `token`, before that runs out. Returns what calls it off. */
  onReplaced(token: string, listener: () => void): () => void;
}

/** ms before the end of a token at which another is asked for; of one with a short life half of what is left. */
const AHEAD = 60_000;
/** ms between two attempts to get another. */
const AGAIN = 5_000;
/** What a header may carry (RFC 6750, 2.1). */
const TOKEN = /^[\w.~+/=-]+$/;

interface Known {
  readonly token: string;
  /** ms since 1970; both `Infinity` for a token that does not say it. */
  readonly renewAt: number;
  readonly endsAt: number;
}

export function createCredentials(clock: Clock, source: TokenSource): Credentials {
  const listeners = new Map<() => void, string>();
  let known: Known | undefined;
  let asking: Promise<Known> | undefined;
  let callOff: (() => void) | undefined;
  /** It has taken the place of one that was refused, and the server has not answered it yet. */
  let unproven: string | undefined;

  async function askSource(): Promise<Known> {
    const token = typeof source === "string" ? source : await source();
    if (typeof token !== "string" || !isToken(token)) {
      throw new TypeError("the token is empty, or has characters that no token may have; it is not shown here");
    }
    return { token, ...timesOf(token, clock.now().wall) };
  }

  function ask(): Promise<Known> {
    asking ??= askSource()
      .then((next) => {
        known = next;
        for (const [listener, token] of [...listeners]) {
          if (token === next.token || !listeners.delete(listener)) continue;
          listener();
        }
        return next;
      })
      .finally(() => {
        asking = undefined;
        arm();
      });
    return asking;
  }

  /** While somebody relies on the token, another is asked for in time. */
  function arm(delay = (known?.renewAt ?? Number.POSITIVE_INFINITY) - clock.now().wall): void {
    callOff?.();
    callOff = undefined;
    if (listeners.size === 0 || delay === Number.POSITIVE_INFINITY) return;
    callOff = clock.scheduleInBackground(Math.max(AGAIN / 10, delay), () => {
      if (isDue()) ask().catch(() => arm(AGAIN));
      else arm();
    });
  }

  function isDue(): boolean {
    return known === undefined || clock.now().wall >= known.renewAt;
  }

  return {
    get latest() {
      return known?.token;
    },
    async current() {
      if (known !== undefined && !isDue()) return known.token;
      try {
        return (await ask()).token;
      } catch (error) {
        if (known !== undefined && clock.now().wall < known.endsAt) return known.token;
        throw error;
      }
    },
    async replace(token) {
      if (known?.token === token && typeof source === "function") {
        if (unproven === token) {
          // The next call that is refused asks again.
          unproven = undefined;
          return false;
        }
        const next = await ask();
        if (next.token !== token) unproven = next.token;
      }
      return known !== undefined && known.token !== token;
    },
    accepted(token) {
      if (unproven === token) unproven = undefined;
    },
    onReplaced(token, listener) {
      listeners.set(listener, token);
      if (callOff === undefined) arm();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) arm();
      };
    },
  };
}

/** Whether a header can carry it. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** When a JWT ends; of any other token nothing is known. */
function timesOf(token: string, now: number): Omit<Known, "token"> {
  const endsAt = expiryOf(token);
  if (endsAt === undefined) return { renewAt: Number.POSITIVE_INFINITY, endsAt: Number.POSITIVE_INFINITY };
  return { renewAt: Math.max(endsAt - AHEAD, now + (endsAt - now) / 2), endsAt };
}

/** ms since 1970; undefined: it does not say. */
export function expiryOf(token: string): number | undefined {
  const [, payload, signature] = token.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const { exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { readonly exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
