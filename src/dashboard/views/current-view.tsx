/** Shows what the address says. */

import { usePage } from "../ui/context.ts";
import { OverviewPage } from "./overview/overview.tsx";

export function CurrentView() {
  const { navigation } = usePage();
  switch (navigation.route.value.view.kind) {
    default:
      return <OverviewPage />;
  }
}
