/** The page: joins what it asks of the server, what it knows, and what it shows. */

import { render } from "preact";
import { createLoginCalls } from "./api/login-calls.ts";
import { createRpc } from "./api/rpc.ts";
import { createAccount } from "./store/account.ts";
import { createAnnouncer } from "./store/announcer.ts";
import { createConnection } from "./store/connection.ts";
import { createLimiters } from "./store/limiters.ts";
import { createNavigation } from "./store/navigation.ts";
import { createNotices } from "./store/notices.ts";
import { createOverview } from "./store/overview.ts";
import { createProbe } from "./store/probe.ts";
import { createRecent } from "./store/recent.ts";
import { type Page, PageContext } from "./ui/context.ts";
import { Layout } from "./ui/layout.tsx";
import { CurrentView } from "./views/current-view.tsx";

const baseUrl = new URL(".", document.baseURI).href.replace(/\/$/, "");

const rpc = createRpc(baseUrl);
const connection = createConnection();
const navigation = createNavigation(window);
const account = createAccount(createLoginCalls(baseUrl), window);
const limiters = createLimiters({ rpc, connection, account });
const overview = createOverview({ limiters, connection, navigation });
const probe = createProbe({ server: rpc.server, connection, onSilence: limiters.reopen });
const page: Page = {
  rpc,
  account,
  connection,
  navigation,
  limiters,
  overview,
  probe,
  recent: createRecent({ rpc, limiters }),
  notices: createNotices(),
  announcement: createAnnouncer(overview.census),
};

const root = document.getElementById("app");
if (root === null) throw new Error("the page has no #app");
root.replaceChildren();
render(
  <PageContext.Provider value={page}>
    <Layout>
      <CurrentView />
    </Layout>
  </PageContext.Provider>,
  root,
);
