/** What all parts of the page share. */

import type { ReadonlySignal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Rpc } from "../api/rpc.ts";
import type { Account } from "../store/account.ts";
import type { Connection } from "../store/connection.ts";
import type { Limiters } from "../store/limiters.ts";
import type { Navigation } from "../store/navigation.ts";
import type { Notices } from "../store/notices.ts";
import type { Overview } from "../store/overview.ts";
import type { Probe } from "../store/probe.ts";
import type { Recent } from "../store/recent.ts";

export interface Page {
  readonly rpc: Rpc;
  readonly account: Account;
  readonly connection: Connection;
  readonly limiters: Limiters;
  readonly navigation: Navigation;
  readonly notices: Notices;
  readonly overview: Overview;
  readonly probe: Probe;
  readonly recent: Recent;
  /** What is said to readers of screens. */
  readonly announcement: ReadonlySignal<string>;
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error("a part of the page stands outside of it");
  return page;
}
