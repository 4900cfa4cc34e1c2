/** Shows what the address says. Boards and the server come in files of their own: most come for a limiter. */

import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { View } from "../model/route.ts";
import { usePage } from "../ui/context.ts";
import { LimiterPage } from "./limiter/limiter.tsx";
import { OverviewPage } from "./overview/overview.tsx";

const loadLogin = async () => (await import("./login/login.tsx")).LoginPage;
const loadBoard = async () => (await import("./board/board.tsx")).BoardPage;
const loadBoards = async () => (await import("./board/boards.tsx")).BoardsPage;
const loadServer = async () => (await import("./server/server.tsx")).ServerPage;

export function CurrentView() {
  const { navigation, account } = usePage();
  const { view } = navigation.route.value;
  const title = titleOf(view);
  useEffect(() => {
    document.title = title;
  }, [title]);
  if (account.isAsking.value) return <Late key="login" load={loadLogin} show={(Page) => <Page />} />;
  switch (view.kind) {
    case "overview":
      return <OverviewPage />;
    case "limiter":
      return <LimiterPage key={view.name} name={view.name} />;
    case "boards":
      return <Late key="boards" load={loadBoards} show={(Page) => <Page />} />;
    case "board":
      return <Late key={`board ${view.name}`} load={loadBoard} show={(Page) => <Page name={view.name} />} />;
    case "server":
      return <Late key="server" load={loadServer} show={(Page) => <Page />} />;
  }
}

interface LateProps<P> {
  readonly load: () => Promise<ComponentType<P>>;
  readonly show: (page: ComponentType<P>) => VNode;
}

/** Shows a part of the page once it has been loaded. */
function Late<P>({ load, show }: LateProps<P>) {
  const { notices } = usePage();
  const [page, setPage] = useState<{ readonly component: ComponentType<P> } | undefined>(undefined);
  useEffect(() => {
    load().then(
      (component) => setPage({ component }),
      // A server of another version has other files.
      () => notices.say({ kind: "failed", text: "This part of the page cannot be loaded: load the page anew." }),
    );
  }, [load, notices]);
  return page === undefined ? null : show(page.component);
}

function titleOf(view: View): string {
  const about = "name" in view ? view.name : { overview: "limiters", boards: "boards", server: "server" }[view.kind];
  return `${about} · backpressure`;
}
