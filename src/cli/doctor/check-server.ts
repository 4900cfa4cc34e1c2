/** The server itself: how far it is, whether it serves, what it is, and what it keeps. */

import { formatBytes } from "../../text/bytes.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatCount } from "../../text/number.ts";
import { type Finding, ok, some } from "./finding.ts";
import { medianOf, type Observations, type ServerFacts } from "./observations.ts";

/** ms: a round trip that is longer shows in every call. */
const FAR = 100;
/** ms by which a loop may be late, as in `ops/alerts.yml`. */
const LATE = 100;
/** ms by which two clocks may differ before people are misled. */
const SKEW = 2_000;

export function checkServer(seen: Observations): Finding[] {
  const { server } = seen;
  return [
    checkDistance(seen),
    ...checkProxy(seen),
    ...checkTransport(seen),
    checkHealth(seen),
    ...(server === undefined ? [UNKNOWN_SERVER] : checkFacts(server, seen)),
    ...checkWebPort(seen),
  ];
}

const UNKNOWN_SERVER: Finding = {
  level: "note",
  check: "version",
  what: "the server does not say its version, its clock and what it keeps",
  why: "it is older than this command, or a proxy does not pass ConfigService on",
  todo: "update the server, or let the proxy pass ggen.backpressure.config.v1.ConfigService",
};

function checkDistance({ address, roundTrips }: Observations): Finding {
  const median = medianOf(roundTrips);
  const what = `${address} answers in ${formatRoughly(median)}`;
  if (median < FAR) return ok("reachable", what);
  const why = "every call that waits for an answer takes at least as long, and a ttl has to be several times longer";
  return { level: "note", check: "reachable", what, why, todo: "run the server nearer to its clients" };
}

function checkProxy({ proxy }: Observations): Finding[] {
  if (proxy === undefined) return [];
  const why = "a proxy resets streams that clients still rely on, and answers pings for clients that are gone";
  const todo = "configure it as docs/proxies.md says; clients other than this package's say keep_on_cancel and renew";
  return [{ level: "note", check: "proxy", what: `a proxy stands before the server (${proxy})`, why, todo }];
}

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|::1)(?::\d+)?$/;

/** Whether an address, with or without its scheme, is this machine's own. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.test(address.replace(/^[a-z]+:\/\//i, "").replace(/\/$/, ""));
}

function checkTransport({ address }: Observations): Finding[] {
  if (address.startsWith("https://") || isLoopback(address)) return [];
  const why = "secrets of leases go over the network as they are, and any client that reaches the port may call it";
  const todo = "keep it in a closed network, or put TLS before it and connect to https://";
  return [{ level: "note", check: "transport", what: `the connection to ${address} is not encrypted`, why, todo }];
}

function checkHealth({ health, server }: Observations): Finding {
  const failing = [...health].filter(([, serves]) => !serves).map(([name]) => name || "the server as a whole");
  if (failing.length === 0) return ok("health", `it serves, with ${health.size - 1} services`);
  const why = server?.draining
    ? "it drains"
    : server?.storeProblem || "it starts, it drains, or its data folder takes nothing";
  const todo = "see its log; traffic should go elsewhere until it serves";
  return { level: "problem", check: "health", what: `not serving: ${some(failing)}`, why, todo };
}

function checkFacts(server: ServerFacts, { clientVersion, roundTrips }: Observations): Finding[] {
  return [
    checkVersion(server, clientVersion),
    ...checkClock(server, medianOf(roundTrips)),
    ...checkStanding(server),
    ...checkLoad(server),
    checkStore(server),
    ...checkRestart(server),
  ];
}

function checkVersion({ version }: ServerFacts, clientVersion: string): Finding {
  if (version === clientVersion) return ok("version", `server and command line are ${version}`);
  if (version === "") return UNKNOWN_SERVER;
  return {
    level: "note",
    check: "version",
    what: `the server is ${version}, this command line ${clientVersion}`,
    why: "each works with the other; what only the newer one knows is not shown, or refused as unknown",
    todo: "bring both to one version",
  };
}

function checkClock({ clockAhead }: ServerFacts, roundTrip: number): Finding[] {
  if (clockAhead === undefined) return [];
  const off = Math.abs(clockAhead);
  if (off <= Math.max(SKEW, roundTrip)) return [ok("clock", "the clocks here and there agree")];
  const what = `the server's clock is ${formatRoughly(off)} ${clockAhead > 0 ? "ahead of" : "behind"} this one`;
  const why = "leases and rates do not depend on it; times of day in lists, logs and cards do";
  return [{ level: "warning", check: "clock", what, why, todo: "set both clocks by NTP" }];
}

function checkStanding({
  draining,
  learningFor,
  storeProblem,
  fileProblems,
  fileProblemCount,
}: ServerFacts): Finding[] {
  const findings: Finding[] = [];
  if (draining) {
    findings.push({
      level: "problem",
      check: "draining",
      what: "it is about to stop: nothing new is admitted",
      why: "it was sent SIGTERM or SIGINT, and lets leases finish first",
      todo: "wait for its successor, or start it again",
    });
  }
  if (learningFor > 0) {
    findings.push({
      level: "problem",
      check: "learning",
      what: `it grants nothing for another ${formatRoughly(learningFor)}`,
      why: "some leases from before its start may be unknown, and their holders may still be at work",
      todo: "wait: it grants by itself then; a data folder, or `store.leases: disk`, avoids it at the next start",
    });
  }
  if (storeProblem !== "") {
    findings.push({
      level: "problem",
      check: "store-problem",
      what: `its data folder takes nothing: ${storeProblem}`,
      why: "what cannot be kept is not granted",
      todo: "make room on its disk, or raise store.max_megabytes",
    });
  }
  const [first] = fileProblems;
  if (first !== undefined) {
    const more = fileProblemCount > 1 ? `, and ${formatCount(fileProblemCount - 1, "more problem")}` : "";
    findings.push({
      level: "problem",
      check: "file",
      what: `its configuration file is refused: ${first}${more}`,
      why: "what was in force before stays so, and its next start would fail",
      todo: "mend it: `backpressure check FILE` names all that is wrong",
    });
  }
  return findings;
}

function checkLoad({ load }: ServerFacts): Finding[] {
  if (load === undefined) return [];
  const { streams, connections, p99, longest, thread, heapUsed, storeBytes } = load;
  if (p99 > LATE) {
    return [
      {
        level: "warning",
        check: "load",
        what: `its threads are late by ${formatRoughly(p99)} (p99 of the last minute), by ${formatRoughly(longest)} at most (${thread})`,
        why: "every call waits that long, renewals included",
        todo: "see BackpressureEventLoopLate in docs/operations.md: more CPU, sessions, or workers",
      },
    ];
  }
  const carried = `it carries ${formatCount(streams, "stream")} over ${formatCount(connections, "connection")}`;
  const late = `is late by ${formatRoughly(p99)} (p99 of the last minute, ${formatRoughly(longest)} at most)`;
  const kept = storeBytes === undefined ? "" : `, and has ${formatBytes(storeBytes)} on disk`;
  return [ok("load", `${carried}, ${late}, takes ${formatBytes(heapUsed)} of heap${kept}`)];
}

function checkStore({ keeps }: ServerFacts): Finding {
  switch (keeps) {
    case "disk":
      return ok("store", "it keeps every grant on disk");
    case "process":
      return ok("store", "it keeps every grant beyond the end of its process; after a loss of power it learns first");
    case "no-leases":
      return {
        level: "warning",
        check: "store",
        what: "it keeps limiters and cards, and no leases",
        why: "after every start nothing is granted until the longest possible ttl has passed",
        todo: "set store.leases to process, unless that is meant",
      };
    case "nothing":
      return {
        level: "warning",
        check: "store",
        what: "it keeps nothing: all is in memory",
        why: "a restart forgets leases whose holders still work, limiters made by RPC, and cards",
        todo: "give it a folder: --data DIR, or store.folder in its file",
      };
  }
}

function checkRestart({ restartFields }: ServerFacts): Finding[] {
  if (restartFields.length === 0) return [];
  const what = `its file says otherwise than what runs: ${some(restartFields)}`;
  const why = "these fields take effect at a start alone";
  return [{ level: "warning", check: "restart", what, why, todo: "restart it when that suits" }];
}

function checkWebPort({ web }: Observations): Finding[] {
  switch (web.kind) {
    case "reached":
      return [ok("web", `the web port answers at ${web.url}`)];
    case "unreachable":
      return [
        {
          level: "warning",
          check: "web",
          what: `the web port does not answer at ${web.url}: ${web.why}`,
          why: "pages in browsers and the dashboard come from there",
          todo: "see listeners.web in its configuration, and what stands between",
        },
      ];
    case "unknown":
      return [];
  }
}
