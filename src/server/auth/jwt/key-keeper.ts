/** Keeps the last good set of an issuer's keys: one that cannot be reached for a while refuses nobody whose key is known. */

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { IssuerKeys } from "../issuer-keys.ts";

/**
 * µs between two looks, so that a key that is withdrawn counts for a minute at most; between two looks for a key that is not known; and for
 * which a set counts that cannot be renewed.
 */
const REFRESH = 50_000_000;
const LEAST_BETWEEN = 30_000_000;
const LONGEST = 86_400_000_000;

export interface KeyKeeper {
  /** Finds the key of a token; rejects where there is none. */
  readonly keyOf: JWTVerifyGetKey;
  /** Returns what is known of the key with this id, or of all of them for a token that names none: another text, another key. */
  knownOf(kid: string | undefined): string;
  /** How it stands with them. */
  read(): IssuerKeys;
  /** Loads the keys now. */
  refresh(): Promise<void>;
  close(): void;
}

export interface KeyKeeperOptions {
  /** Of the issuer, for the log. */
  readonly name: string;
  readonly load: () => Promise<JSONWebKeySet>;
  /** Called when the set is another than before. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

interface KeySet {
  readonly keys: JSONWebKeySet["keys"];
  readonly find: JWTVerifyGetKey;
  readonly text: string;
  loadedAt: number;
}

/** Loads the first set at once. */
export function createKeyKeeper({ name, load, onChange, clock, log }: KeyKeeperOptions): KeyKeeper {
  let set: KeySet | undefined;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let closed = false;
  let isFailing = false;
  let cancel = () => {};

  async function loadOnce(): Promise<void> {
    attemptedAt = clock.now();
    try {
      const next = await load();
      const text = JSON.stringify(next);
      const isOther = set !== undefined && set.text !== text;
      const isFirstOfNone = next.keys.length === 0 && set?.keys.length !== 0;
      set = { keys: next.keys, find: createLocalJWKSet(next), text, loadedAt: clock.now() };
      if (isFailing) log.info({ event: "keys-there-again", issuer: name }, "the keys of an issuer are there again");
      if (isFirstOfNone)
        log.warn({ event: "keys-none", issuer: name }, "an issuer has no keys: its tokens are refused");
      isFailing = false;
      if (!isOther) return;
      log.info(
        { event: "keys-taken-up", issuer: name, keys: next.keys.length },
        "an issuer has other keys; tokens and streams of a key that is gone count no more",
      );
      onChange();
    } catch (error) {
      const words =
        set === undefined
          ? "the keys of an issuer cannot be loaded: its tokens are refused"
          : "the keys of an issuer cannot be loaded: those of before count for a day at most";
      if (!isFailing) log.error({ event: "keys-missing", issuer: name, error: (error as Error).message }, words);
      isFailing = true;
    }
  }

  function refresh(): Promise<void> {
    loading ??= loadOnce().finally(() => {
      loading = undefined;
      cancel();
      if (!closed) cancel = clock.schedule(clock.now() + REFRESH, false, () => void refresh());
    });
    return loading;
  }

  function current(): JWTVerifyGetKey {
    if (set === undefined || clock.now() - set.loadedAt > LONGEST) throw new errors.JWKSNoMatchingKey();
    return set.find;
  }

  void refresh();
  return {
    async keyOf(header, token) {
      if (set === undefined) await loading;
      try {
        return await current()(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        // A key that is not known may be new. Whoever makes up keys must not have them looked for with each call.
        if (loading !== undefined) await loading;
        else if (clock.now() - attemptedAt >= LEAST_BETWEEN) await refresh();
        else throw error;
        return current()(header, token);
      }
    },
    knownOf(kid) {
      if (set === undefined || kid === undefined) return set?.text ?? "";
      return JSON.stringify(set.keys.filter((key) => key.kid === kid));
    },
    read: () => ({
      issuer: name,
      lastLoadTaken: !isFailing,
      loadedAt: set && clock.wallTime(set.loadedAt),
    }),
    refresh,
    close() {
      closed = true;
      cancel();
    },
  };
}
