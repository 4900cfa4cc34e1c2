/** The frame of the page: where one can go, whether what is shown is live, and what was done. */

import type { ComponentChildren } from "preact";
import { formatTimeOfDay } from "../../text/number.ts";
import { formatRoute, type View } from "../model/route.ts";
import type { Liveness } from "../store/connection.ts";
import { usePage } from "./context.ts";

const ROOMS: readonly { readonly view: View; readonly label: string; readonly kinds: readonly View["kind"][] }[] = [
  { view: { kind: "overview" }, label: "Limiters", kinds: ["overview", "limiter"] },
  { view: { kind: "boards" }, label: "Boards", kinds: ["boards", "board"] },
  { view: { kind: "server" }, label: "Server", kinds: ["server"] },
];

export function Layout({ children }: { readonly children: ComponentChildren }) {
  const { connection, navigation, account, announcement } = usePage();
  const liveness = connection.liveness.value;
  const { kind } = navigation.route.value.view;
  return (
    <div class="page" data-liveness={liveness.kind}>
      <button type="button" class="skip" onClick={() => document.getElementById("content")?.focus()}>
        Skip to the content
      </button>
      <header class="bar">
        <a class="brand" href={formatRoute({ view: { kind: "overview" } })}>
          backpressure
        </a>
        <nav aria-label="Rooms">
          {ROOMS.map(({ view, label, kinds }) => (
            <a key={label} href={formatRoute({ view })} aria-current={kinds.includes(kind) ? "page" : undefined}>
              {label}
            </a>
          ))}
        </nav>
        {!account.isAsking.value && <LivenessMark liveness={liveness} />}
        <AccountMark />
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <NoticeBar />
      <p class="unseen" aria-live="polite" role="status">
        {announcement.value}
      </p>
    </div>
  );
}

/** Who the page's calls are made by, where the server asks. */
function AccountMark() {
  const { account, notices } = usePage();
  const self = account.self.value;
  if (!self?.asks || account.isAsking.value) return null;
  const logOut = () =>
    account
      .logOut()
      .catch(() => notices.say({ kind: "failed", text: "Not logged out: the server cannot be reached." }));
  return (
    <p class="account">
      {self.caller}{" "}
      {self.byLogin && (
        <button type="button" onClick={logOut}>
          Log out
        </button>
      )}
      {self.kind === "anonymous" && (
        <button type="button" onClick={account.ask}>
          Log in
        </button>
      )}
    </p>
  );
}

function LivenessMark({ liveness }: { readonly liveness: Liveness }) {
  switch (liveness.kind) {
    case "live":
      return <p class="liveness live">live</p>;
    case "connecting":
      return (
        <p class="liveness" role="status">
          connecting{liveness.problem === undefined ? "…" : `: ${liveness.problem}`}
        </p>
      );
    case "lost":
      return (
        <p class="liveness stale" role="status">
          as of {formatTimeOfDay(new Date(liveness.asOf))}. {liveness.problem} Trying again.
        </p>
      );
  }
}

function NoticeBar() {
  const { notices } = usePage();
  const notice = notices.latest.value;
  return (
    <div class="notices" role="status">
      {notice !== undefined && (
        <p class={`notice ${notice.kind}`}>
          {notice.text}{" "}
          <button type="button" class="quiet" onClick={() => notices.dismiss()}>
            Dismiss
          </button>
        </p>
      )}
    </div>
  );
}
