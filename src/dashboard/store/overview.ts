/** What the overview shows: a census each second, and the order of its rows. */

import { computed, type ReadonlySignal } from "@preact/signals";
import { arrange, type Census, takeCensus } from "../model/census.ts";
import type { Connection } from "./connection.ts";
import type { Limiters } from "./limiters.ts";
import type { Navigation } from "./navigation.ts";

export interface Overview {
  readonly census: ReadonlySignal<Census>;
  /** Names of limiters, as filtered and sorted. */
  readonly order: ReadonlySignal<readonly string[]>;
}

export interface OverviewOptions {
  readonly limiters: Limiters;
  readonly connection: Pick<Connection, "now">;
  readonly navigation: Pick<Navigation, "route">;
}

export function createOverview({ limiters, connection, navigation }: OverviewOptions): Overview {
  // Once a second, and not with each change: rows that changed places four times a second could not be clicked.
  const census = computed(() => {
    void limiters.isWhole.value;
    return takeCensus(limiters.byName.values(), connection.now.value);
  });
  const order = computed(() => {
    const { filter, sort } = navigation.route.value;
    return arrange(census.value.all, filter, sort);
  });
  return { census, order };
}
