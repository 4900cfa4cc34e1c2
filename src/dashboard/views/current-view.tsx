/** Shows what the address says. */

import { useEffect } from "preact/hooks";
import type { View } from "../model/route.ts";
import { usePage } from "../ui/context.ts";
import { LimiterPage } from "./limiter/limiter.tsx";
import { OverviewPage } from "./overview/overview.tsx";

export function CurrentView() {
  const { navigation } = usePage();
  const { view } = navigation.route.value;
  const title = titleOf(view);
  useEffect(() => {
    document.title = title;
  }, [title]);
  switch (view.kind) {
    case "limiter":
      return <LimiterPage key={view.name} name={view.name} />;
    default:
      return <OverviewPage />;
  }
}

function titleOf(view: View): string {
  const about = "name" in view ? view.name : { overview: "limiters", boards: "boards", server: "server" }[view.kind];
  return `${about} · backpressure`;
}
