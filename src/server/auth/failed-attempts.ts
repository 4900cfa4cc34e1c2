/** Bounds the credentials that one address may get wrong: guessing has to be slow, and verifying costs. */

import type { Clock } from "../clock.ts";

/** So many at once, and one more each second. */
const MOST = 20;
const REFILL = 1_000_000;
/** Addresses that are remembered; beyond that the oldest go. */
const MOST_ADDRESSES = 10_000;
/** µs between two lines of the log about one address. */
const QUIET_TIME = 60_000_000;

export interface FailedAttempts {
  /** Whether a credential from there is looked at. */
  mayTry(address: string): boolean;
  /** One was wrong. Returns whether to log it, with how many were since the last line. */
  failed(address: string): { readonly isToldNow: boolean; readonly times: number };
}

interface Account {
  left: number;
  asOf: number;
  times: number;
  quietUntil: number;
}

export function createFailedAttempts(clock: Clock): FailedAttempts {
  const accounts = new Map<string, Account>();

  function accountOf(address: string): Account {
    const now = clock.now();
    const key = networkOf(address);
    const account = accounts.get(key) ?? { left: MOST, asOf: now, times: 0, quietUntil: Number.NEGATIVE_INFINITY };
    const whole = Math.floor((now - account.asOf) / REFILL);
    account.left = Math.min(MOST, account.left + whole);
    account.asOf += whole * REFILL;
    return account;
  }

  return {
    mayTry: (address) => !accounts.has(networkOf(address)) || accountOf(address).left > 0,
    failed(address) {
      const account = accountOf(address);
      const now = clock.now();
      const key = networkOf(address);
      account.left = Math.max(0, account.left - 1);
      account.times += 1;
      accounts.delete(key);
      accounts.set(key, account);
      if (accounts.size > MOST_ADDRESSES) accounts.delete(accounts.keys().next().value as string);
      const { times } = account;
      const isToldNow = now >= account.quietUntil;
      if (isToldNow) {
        account.quietUntil = now + QUIET_TIME;
        account.times = 0;
      }
      return { isToldNow, times };
    },
  };
}

/** One household has a whole /64 of IPv6, and may take any address of it. */
export function networkOf(address: string): string {
  const mapped = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  if (!mapped.includes(":")) return mapped;
  const [head = "", tail = ""] = (mapped.split("%")[0] as string).split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => "0"), ...after].slice(0, 4).join(":");
}
