/**
 * What becomes of streams that last longer than a minute through each proxy: longer than any of them waits by default. All
 * trials run side by side.
 */

import { beforeEach, expect, test } from "vitest";
import { connectForTest, type RealServer, startRealServer } from "../client/support/real-server.ts";
import { startTcpProxy } from "../client/support/tcp-proxy.ts";
import { CADDY, ENVOY_PROXY, HAPROXY, KINDS, NGINX, type ProxyKind } from "./support/kinds.ts";
import { pageConfig, without } from "./support/page.ts";
import { type RunningProxy, startProxy } from "./support/proxy.ts";
import { connectThrough, isNodeWay, WAYS, type Way } from "./support/ways.ts";

/** ms */
const LONG = 66_000;

/** Limiters of one permit, as many as a server's trials need. */
const LIMITERS = `limiters: [${Array.from({ length: 200 }, (_, i) => `{ name: l${i}, max_concurrent: 1, ttl: 10s }`)}]`;
/** Streams say something every 5 s, by default, or nothing. */
const SPEAKING = LIMITERS;
const SILENT = `liveness: { heartbeat: 1h }\n${LIMITERS}`;

/** What is there before its operator has read the page. HAProxy's are those of Debian's file. */
const DEFAULTS: ReadonlyMap<ProxyKind, (config: string) => string> = new Map([
  [NGINX, (config: string) => without(config, /^.*proxy_read_timeout.*\n/m)],
  [HAPROXY, (config: string) => config.replaceAll(/timeout (client|server) 1h/g, "timeout $1 50s")],
  [CADDY, (config: string) => config],
  [ENVOY_PROXY, (config: string) => without(config, /^.*stream_idle_timeout.*\n/m, /, timeout: 0s/)],
]);

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** So many trials begin that the first words may be late. */
const PATIENT = { answerWithin: 10_000 };

interface Trial {
  readonly proxy: Pick<RunningProxy, "grpc" | "web">;
  readonly server: RealServer;
  readonly way: Way;
}

let used = 0;

function unusedLimiter(): string {
  used += 1;
  return `l${used}`;
}

/** Holds a lease and a place in a queue for a while, and says whether streams were reset, and what was lost. */
async function endure({ proxy, server, way }: Trial): Promise<string> {
  const [held, queue] = [unusedLimiter(), unusedLimiter()];
  const near = connectForTest(server.address);
  const { client, events } = connectThrough(way, proxy, PATIENT);
  const lease = await client.acquire(held);
  const before = await near.acquire(queue);
  const order: string[] = [];
  const waited: number[] = [];
  const early = client.acquire(queue, { onWaiting: ({ waitersAhead }) => waited.push(waitersAhead) });
  while ((await near.limiters.get(queue)).status.waiters < 1) await later(50);
  const late = near.acquire(queue);
  const ends = [early, late].map(async (acquiring, place) => {
    const granted = await acquiring;
    order.push(place === 0 ? "early" : "late");
    await granted.release();
  });
  await later(LONG);
  const resets = events.untaken.filter(({ kind }) => kind === "resumed").length;
  // A place that is just being taken up again would be passed over, so that is awaited where it comes soon.
  const said = waited.length;
  for (let passed = 0; resets > 0 && waited.length === said && passed < 16_000; passed += 50) await later(50);
  const isWhole = lease.valid && (await lease.release()) === "released";
  await before.release();
  await Promise.all(ends);
  if (!isWhole) return "the lease is lost";
  if (order[0] !== "early") return "the place is lost";
  return resets === 0 ? "undisturbed" : "reset, and taken up again";
}

/** Leaves a lease with a client of which nothing is heard any more, and says whether it comes back. */
async function fallSilent({ proxy, server, way }: Trial): Promise<string> {
  const name = unusedLimiter();
  const near = connectForTest(server.address);
  const wire = await startTcpProxy(isNodeWay(way) ? proxy.grpc : new URL(proxy.web).host);
  const web = proxy.web.replace(new URL(proxy.web).host, wire.address);
  const { client } = connectThrough(way, { grpc: wire.address, web }, PATIENT);
  const lease = await client.acquire(name);
  wire.silence();
  const other = near.acquire(name, { maxWait: LONG - 10_000 }).then(
    (lease) => lease.release(),
    () => undefined,
  );
  const outcome = (await other) === undefined ? "held on" : "free";
  expect(lease.signal.aborted).toBe(true);
  lease.release();
  return outcome;
}

beforeEach((context) => {
  for (const kind of KINDS) kind.require(context);
});

test("streams last as long as the page says, whether they say something or not", { timeout: 150_000 }, async () => {
  const [speaking, silent] = await Promise.all([startRealServer(SPEAKING), startRealServer(SILENT)]);
  const found: Record<string, Record<string, string>> = {};
  const trials: Promise<void>[] = [];
  const put = async (row: string, column: string, trial: Promise<string>) => {
    trials.push(
      trial.catch(String).then((outcome) => {
        found[row] = { ...found[row], [column]: outcome };
      }),
    );
    await later(50);
  };
  for (const kind of KINDS) {
    const asOnPage = pageConfig(kind);
    const asByDefault = DEFAULTS.get(kind)?.(asOnPage) ?? "";
    const to = ({ address, url }: RealServer) => ({ grpc: address, web: url });
    const page = await startProxy(kind, asOnPage, to(silent));
    const idle = await startProxy(kind, asByDefault, to(silent));
    const busy = await startProxy(kind, asByDefault, to(speaking));
    const watched = await startProxy(kind, asOnPage, to(speaking));
    for (const way of WAYS) {
      await put(`${kind.name}, page, silent`, way, endure({ proxy: page, server: silent, way }));
      await put(`${kind.name}, default, silent`, way, endure({ proxy: idle, server: silent, way }));
      await put(`${kind.name}, default, heartbeats`, way, endure({ proxy: busy, server: speaking, way }));
      await put(`${kind.name}, silent client`, way, fallSilent({ proxy: watched, server: speaking, way }));
    }
  }
  await Promise.all(trials);
  const all = (outcome: string) => Object.fromEntries(WAYS.map((way) => [way, outcome]));
  /** A session's client renews, so that neither side of it is silent for long. */
  const inSession = (others: string) => ({ ...all(others), "gRPC in a session": "undisturbed" });
  expect(found).toEqual({
    "nginx, page, silent": all("undisturbed"),
    // The server's pings keep its stream.
    "nginx, default, silent": { ...inSession("reset, and taken up again"), gRPC: "undisturbed" },
    "nginx, default, heartbeats": all("undisturbed"),
    "HAProxy, page, silent": all("undisturbed"),
    "HAProxy, default, silent": inSession("reset, and taken up again"),
    "HAProxy, default, heartbeats": all("undisturbed"),
    "Caddy, page, silent": all("undisturbed"),
    "Caddy, default, silent": all("undisturbed"),
    "Caddy, default, heartbeats": all("undisturbed"),
    "Envoy, page, silent": all("undisturbed"),
    // Its timeout counts from the end of a request, which that of a session has not.
    "Envoy, default, silent": inSession("reset, and taken up again"),
    "Envoy, default, heartbeats": inSession("reset, and taken up again"),
    "nginx, silent client": all("free"),
    "HAProxy, silent client": all("free"),
    "Caddy, silent client": all("free"),
    "Envoy, silent client": all("free"),
  });
});
