/**
 * Everything that says who may call is replaced under load: certificate, authority, list of withdrawn ones, tokens, keys, access. No
 * lease is lost but those of the withdrawn, who are gone within a second, and a bad file of each kind changes nothing.
 */

import { describe, expect, test, vi } from "vitest";
import type { Client, Lease, LeaseEnd } from "../../src/client/index.ts";
import { openRecord } from "./support/record.ts";
import { KEYS_ARE_FORGOTTEN_ALONE } from "./support/rotation/bug.ts";
import { type CredentialName, PERMITS, type Site, startSite } from "./support/rotation/site.ts";

const record = openRecord("rotation");

/** ms from the news in the log. Whoever looks later than that finds nothing; what the look itself takes is the machine's affair. */
const GONE_WITHIN = 1_000;
/** What a file that is written takes until it is taken up, on a machine that does other things. */
const PATIENCE = { timeout: 20_000, interval: 20 };

const KEPT: readonly (readonly [CredentialName, boolean])[] = [
  ["token-kept", true],
  ["jwt-kept", false],
  ["cert-kept", true],
  ["operator", false],
];

/** What is asked at once: more keep this process from hearing an answer in time, when the machine is slow. */
const AT_ONCE = 25;

/** All permits of a caller's limiter, held. */
async function holdAll(client: Client, name: CredentialName): Promise<readonly Lease[]> {
  const leases: Lease[] = [];
  const permits = PERMITS[name] ?? 0;
  while (leases.length < permits) {
    const count = Math.min(AT_ONCE, permits - leases.length);
    leases.push(...(await Promise.all(Array.from({ length: count }, () => client.acquire(name)))));
  }
  return leases;
}

async function giveAllBack(leases: readonly Lease[]): Promise<readonly LeaseEnd[]> {
  const ends: LeaseEnd[] = [];
  while (ends.length < leases.length) {
    const some = leases.slice(ends.length, ends.length + AT_ONCE);
    ends.push(...(await Promise.all(some.map((lease) => lease.release()))));
  }
  return ends;
}

/** Calls without pause until it is disposed of. */
function callSteadily(client: Client) {
  const failures: string[] = [];
  let calls = 0;
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      try {
        const outcome = await client.tryAcquire("calls");
        if (outcome.granted) await outcome.release();
        calls += 1;
      } catch (error) {
        failures.push(String(error));
        isOver = true;
      }
    }
  };
  const runs = [run(), run()];
  return {
    failures,
    get calls() {
      return calls;
    },
    async end() {
      isOver = true;
      await Promise.all(runs);
    },
  };
}

async function statesOf(operator: Client, limiter: string): Promise<readonly string[]> {
  const states = [];
  for await (const { state } of operator.limiters.leases({ limiter })) states.push(state);
  return states;
}

async function waitersOf(operator: Client, limiter: string): Promise<number> {
  let count = 0;
  for await (const _ of operator.limiters.waiters(limiter)) count += 1;
  return count;
}

/** One whose credential is going to be withdrawn: all permits of its limiter, and a place in its queue. */
async function settle(site: Site, operator: Client, name: CredentialName) {
  const client = site.client(name);
  const leases = await holdAll(client, name);
  const waiting = client.acquire(name).then(
    () => "granted",
    (error: Error) => error.name,
  );
  await vi.waitFor(async () => expect(await waitersOf(operator, name)).toBe(1), PATIENCE);
  return { name, client, leases, waiting };
}

type Settled = Awaited<ReturnType<typeof settle>>;

describe.each([0, 2])("with workers: %i", (workers) => {
  const title = `workers: ${workers}`;

  async function start() {
    const site = await startSite(workers);
    const operator = site.client("operator", { sessions: false });
    const leases: Lease[] = [];
    for (const [name, sessions] of KEPT) leases.push(...(await holdAll(site.client(name, { sessions }), name)));
    return { site, operator, leases, steady: callSteadily(site.client("token-kept")) };
  }

  /** Withdraws a credential, and looks until all that it held is orphaned. */
  async function untilGone(site: Site, operator: Client, one: Settled, event: string, act: () => void) {
    const { name, client } = one;
    const before = site.logged(event).length;
    act();
    await vi.waitFor(() => expect(site.logged(event).length).toBeGreaterThan(before), PATIENCE);
    const said = performance.now();
    for (let isGone = false; !isGone; ) {
      const looked = performance.now() - said;
      const states = await statesOf(operator, name);
      expect(states, name).toHaveLength(PERMITS[name] ?? 0);
      isGone = states.every((state) => state === "orphaned");
      if (!isGone) expect(looked, name).toBeLessThan(GONE_WITHIN);
    }
    const value = performance.now() - said;
    record({ figure: `${title}: ${name}: its leases are orphaned after`, value, unit: "ms" });
    // Its place is kept for as long as its ttl.
    expect(await waitersOf(operator, name), name).toBe(1);
    // Its further tries are failed ones of the address, from which signed tokens are verified, too.
    await client.close();
  }

  test("of 1,000 leases none is lost while all is replaced, and who is withdrawn is gone within a second", async () => {
    const { site, operator, leases, steady } = await start();
    await using _ = site;
    const { texts } = site;
    expect(leases).toHaveLength(1_000);
    const lost = () => leases.flatMap(({ signal }) => (signal.aborted ? [String(signal.reason)] : []));

    site.write("server.crt", texts.renewedCert);
    site.write("server.key", texts.renewedKey);
    await vi.waitFor(
      () => expect(site.logged("tls-taken-up").at(-1)).toMatchObject({ subject: "CN=second" }),
      PATIENCE,
    );

    const token = await settle(site, operator, "token-gone");
    const jwt = await settle(site, operator, "jwt-gone");
    const certificate = await settle(site, operator, "cert-gone");
    const authority = await settle(site, operator, "ca-gone");
    const demoted = await settle(site, operator, "demoted");

    const tokens = ["operator", "token-kept", "demoted"];
    await untilGone(site, operator, token, "config-taken-up", () => site.configure({ tokens }));
    expect(site.logged("config-taken-up").at(-1)).toMatchObject({ changed: ["auth"] });

    await untilGone(site, operator, jwt, "keys-taken-up", () => site.write("keys.json", texts.oneKey));
    expect(site.logged("keys-taken-up")).toEqual(
      Array.from({ length: Math.max(1, workers) }, () => expect.objectContaining({ issuer: "idp", keys: 1 })),
    );

    await untilGone(site, operator, certificate, "tls-taken-up", () => site.write("withdrawn.crl", texts.withdrawn));
    expect(site.logged("tls-taken-up").at(-1)).toMatchObject({ changed: ["client_crl_file"] });
    await untilGone(site, operator, authority, "tls-taken-up", () => site.write("clients.crt", texts.oneCa));
    expect(site.logged("tls-taken-up").at(-1)).toMatchObject({ changed: ["client_ca_file"] });

    // What is held may be held on by a caller that may acquire no more; what waits ends.
    site.configure({ tokens, acquirers: ["token:token-kept", "idp:*", "spiffe://*"] });
    expect(await demoted.waiting).toBe("PermissionDeniedError");
    expect(site.logged("config-taken-up").at(-1)).toMatchObject({ changed: ["access"] });
    expect(demoted.leases.filter(({ signal }) => signal.aborted)).toEqual([]);

    await steady.end();
    expect(steady.failures).toEqual([]);
    record({ figure: `${title}: calls meanwhile, none of which failed`, value: steady.calls, unit: "calls" });
    expect(lost()).toEqual([]);
    expect(new Set(await giveAllBack(leases))).toEqual(new Set(["released"]));
    record({ figure: `${title}: leases lost of 1,000 while all is replaced`, value: lost().length, unit: "leases" });
  }, 180_000);

  test("a bad file of each kind changes nothing, is logged once and counted", async () => {
    const { site, leases, steady } = await start();
    await using _ = site;
    const { texts } = site;
    const threads = Math.max(1, workers);
    const bad = [
      { event: "tls-refused", times: 1, spoil: () => site.write("server.key", "-----BEGIN PRIVATE KEY-----\nbm8=\n") },
      {
        event: "tls-refused",
        times: 1,
        before: () => site.write("server.key", texts["server.key"]),
        spoil: () => site.write("clients.crt", "no certificate"),
      },
      {
        event: "tls-refused",
        times: 1,
        before: () => site.write("clients.crt", texts["clients.crt"]),
        spoil: () => site.write("withdrawn.crl", "no list"),
      },
      {
        event: "keys-missing",
        times: threads,
        before: () => site.write("withdrawn.crl", texts["withdrawn.crl"]),
        spoil: () => site.write("keys.json", "{}"),
      },
      { event: "config-refused", times: 1, spoil: () => site.configure({ broken: "auth: [no map]\n" }) },
    ];
    for (const { event, times, before: mend = () => {}, spoil } of bad) {
      mend();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const before = site.logged(event).length;
      spoil();
      await vi.waitFor(() => expect(site.logged(event).length).toBe(before + times), PATIENCE);
      // The same news once more is no news; of a configuration that somebody writes again it is.
      if (event !== "config-refused") spoil();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(site.logged(event).length, event).toBe(before + times);
      // Whoever counted before counts now, by a connection of its own.
      for (const [name] of KEPT) {
        await using client = site.client(name);
        await (await client.acquire("calls")).release();
      }
    }
    expect(site.logged("tls-refused").map(({ failures }) => failures)).toEqual([1, 2, 3]);
    expect(await site.metrics()).toMatch(/^backpressure_config_reload_failures_total 1$/m);
    await steady.end();
    expect(steady.failures).toEqual([]);
    expect(leases.filter(({ signal }) => signal.aborted)).toEqual([]);
  }, 180_000);
});

test("control: where a withdrawn key is forgotten and its streams are not looked at, they go on", async () => {
  await using site = await startSite(0, [KEYS_ARE_FORGOTTEN_ALONE]);
  const operator = site.client("operator", { sessions: false });
  const { name } = await settle(site, operator, "jwt-gone");
  site.write("keys.json", site.texts.oneKey);
  await vi.waitFor(() => expect(site.logged("keys-taken-up")).toHaveLength(1), PATIENCE);
  await new Promise((resolve) => setTimeout(resolve, GONE_WITHIN));
  const states = new Set(await statesOf(operator, name));
  record({ figure: "streams of a withdrawn key", value: states.size, unit: "states", control: [...states].join() });
  expect([...states]).toEqual(["attached"]);
}, 60_000);
