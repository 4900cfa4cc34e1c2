/** Where the page is. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { formatRoute, parseRoute, type Route, type View } from "../model/route.ts";

export interface Navigation {
  readonly route: ReadonlySignal<Route>;
  go(view: View): void;
  /** Changes how the overview is shown, in place: no step for the browser's back button. */
  adjust(changes: Partial<Pick<Route, "filter" | "sort">>): void;
}

export function createNavigation(window: Window): Navigation {
  const route = signal(parseRoute(window.location.hash));
  window.addEventListener("hashchange", () => {
    route.value = parseRoute(window.location.hash);
  });
  return {
    route,
    go(view) {
      window.location.hash = formatRoute({ view });
    },
    adjust(changes) {
      const next = { ...route.value, ...changes };
      window.history.replaceState(null, "", formatRoute(next));
      route.value = next;
    },
  };
}
