/** Who this page's calls are made by. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { LoginCalls, Self } from "../api/login-calls.ts";

export interface Account {
  /** Undefined: it is not known, or not yet. */
  readonly self: ReadonlySignal<Self | undefined>;
  /** Whether a token is asked for, in place of what the page shows. */
  readonly isAsking: ReadonlySignal<boolean>;
  /** Asks for a token. */
  ask(): void;
  /** The server may know the page no more: finds out, and asks for a token if that is so. */
  review(): void;
  /** False: the token does not count. All that the page shows is read anew otherwise. */
  logIn(token: string): Promise<boolean>;
  logOut(): Promise<void>;
}

export function createAccount(calls: LoginCalls, window: Window): Account {
  const self = signal<Self | undefined>(undefined);
  const isAsking = signal(false);

  async function review(): Promise<void> {
    self.value = await calls.who();
    isAsking.value = self.value === undefined;
  }

  const account: Account = {
    self,
    isAsking,
    ask() {
      isAsking.value = true;
    },
    // A server that is away is the streams' affair.
    review: () => void review().catch(() => {}),
    async logIn(token) {
      const counts = await calls.logIn(token);
      if (counts) window.location.reload();
      return counts;
    },
    async logOut() {
      await calls.logOut();
      window.location.reload();
    },
  };
  account.review();
  return account;
}
