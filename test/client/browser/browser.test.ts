import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "../../../src/client/api/client.ts";
import type { Lease } from "../../../src/client/api/lease.ts";
import { connect } from "../../../src/client/index.browser.ts";
import { launchChromium } from "../../support/chromium.ts";
import { type Bundle, bundleForBrowsers, newPage, openPage, servePage } from "../support/browser.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

/** What the page has. */
declare const backpressure: typeof import("../../../src/client/index.browser.ts");
declare global {
  var leases: Lease[];
  var resumed: Set<string>;
  var fifths: Promise<unknown>[];
  var client: Client;
  var controller: AbortController;
  var fates: Promise<readonly string[]>;
}

const DB = "limiters: [{ name: db, max_concurrent: 10, ttl: 60s }]";

let bundle: Bundle;
let browser: Browser;

beforeAll(async () => {
  bundle = await bundleForBrowsers();
  browser = await launchChromium();
});

afterAll(() => browser.close());

/** Resolves when so many leases live on the server. */
async function untilHeld(address: string, leases: number): Promise<void> {
  for await (const event of connectForTest(address).limiters.watch({ names: ["db"] })) {
    const limiter =
      event.kind === "snapshot" ? event.limiters[0] : event.kind === "changed" ? event.limiter : undefined;
    if (limiter?.status.leases === leases) return;
  }
}

/**
 * Opens a page whose client has reached its server, which has one permit, and one card to pull, by a proxy that can keep back
 * what either says.
 */
async function openFarPage() {
  const { url, address } = await startRealServer(
    "limiters: [{ name: db, max_concurrent: 1, ttl: 300s }]\nboards: [{ name: release, ttl: 300s }]",
  );
  const near = connectForTest(address);
  const { id: card } = await near.board("release").add({ title: "one" });
  const proxy = await startTcpProxy(new URL(url).host);
  const page = await openPage(browser, `http://${proxy.address}`, bundle);
  await page.evaluate(async () => {
    globalThis.client = backpressure.connect("");
    // What is loaded late is there, too.
    await globalThis.client.limiters.get("db");
    await globalThis.client.boards.get("release");
  });

  /** Resolves when the server has granted the permit, to this holder, or the card. */
  async function untilGranted(what: "lease" | "card", holder = ""): Promise<void> {
    if (what === "lease") {
      for await (const _ of near.limiters.watch({ names: ["db"] })) {
        for await (const lease of near.limiters.leases()) if (lease.holder === holder) return;
      }
    } else {
      for await (const { cards } of near.board("release").watch()) if (cards.get(card)?.state === "active") return;
    }
  }

  return { address, near, card, proxy, page, untilGranted };
}

describe("the bundle for browsers", () => {
  it("has no module of Node in it, what only Node needs, or codecs for JSON, which no call uses", () => {
    const inputs = Object.keys(bundle.metafile.inputs);
    const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports);
    expect(imports.filter(({ external, path }) => external || path.startsWith("node:"))).toEqual([]);
    expect(inputs.filter((path) => /connect-node|grpc-js|connection-pool|src\/server/.test(path))).toEqual([]);
    const [output] = Object.values(bundle.metafile.outputs);
    // A few bytes of constants stay of what is left out.
    const used = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 100);
    expect(used.map(([path]) => path).filter((path) => /(from|to)-json\.js$/.test(path))).toEqual([]);
  });
});

describe("the package", () => {
  it("chooses the entry for browsers by the browser condition, which stands before the default", async () => {
    const { default: manifest } = await import("../../../package.json", { with: { type: "json" } });
    const entry = manifest.exports["."];
    expect(Object.keys(entry)[0]).toBe("browser");
    expect(entry.browser.default).toBe("./dist/client/index.browser.js");
    expect(entry.default).toBe("./dist/client/index.js");
  });
});

describe("the entry for browsers", () => {
  const once = { retry: { maxAttempts: 1 } };

  it("bounds streams at four over http", async () => {
    const client = connect("http://127.0.0.1:1", once);
    const asked = await Promise.allSettled(Array.from({ length: 5 }, () => client.acquire("db")));
    expect(asked.map((call) => call.status === "rejected" && call.reason.name)).toEqual([
      ...Array(4).fill("ServerUnavailableError"),
      "TooManyStreamsError",
    ]);
  });

  it("does not bound them over https, which is HTTP/2", async () => {
    const client = connect("https://127.0.0.1:1", once);
    const asked = await Promise.allSettled(Array.from({ length: 50 }, () => client.acquire("db")));
    const names = asked.map((call) => call.status === "rejected" && call.reason.name);
    expect(new Set(names)).toEqual(new Set(["ServerUnavailableError"]));
  });

  it("takes another bound as an option", async () => {
    const client = connect("http://127.0.0.1:1", { ...once, maxStreams: 1 });
    const asked = await Promise.allSettled([client.acquire("db"), client.acquire("db")]);
    expect(asked[1]).toMatchObject({ reason: { name: "TooManyStreamsError", maxStreams: 1 } });
  });
});

describe("a client in a browser, over HTTP/1.1", () => {
  it("acquires from the page's own origin, waits its turn, and releases", async () => {
    const { url } = await startRealServer("limiters: [{ name: db, max_concurrent: 1 }]");
    const page = await openPage(browser, url, bundle);
    const said = await page.evaluate(async () => {
      const client = backpressure.connect("");
      const first = await client.acquire("db", { holder: "page" });
      const places: number[] = [];
      const second = client.acquire("db", {
        onWaiting: ({ waitersAhead }) => {
          places.push(waitersAhead);
          void first.release();
        },
      });
      const lease = await second;
      const end = await lease.release("overloaded");
      const refused = await client.tryAcquire("db", { permits: 1, tokens: 0 });
      return { holder: first.holder, places, end, granted: refused.granted };
    });
    expect(said).toEqual({ holder: "page", places: [0], end: "released", granted: true });
  });

  it("opens no fifth stream, and says why; it can always release", async () => {
    const { url } = await startRealServer(DB);
    const page = await openPage(browser, url, bundle);
    const said = await page.evaluate(async () => {
      const client = backpressure.connect("");
      const leases = await Promise.all(Array.from({ length: 4 }, () => client.acquire("db")));
      const error = await client.acquire("db").catch((reason: unknown) => reason);
      await leases[0]?.release();
      const again = await client.acquire("db");
      return {
        isTyped: error instanceof backpressure.TooManyStreamsError,
        maxStreams: (error as { maxStreams?: number }).maxStreams,
        valid: again.valid,
      };
    });
    expect(said).toEqual({ isTyped: true, maxStreams: 4, valid: true });
  });

  it("takes its leases up again when their connections are cut, all four, and opens no fifth stream meanwhile", async () => {
    const { url, address } = await startRealServer(DB);
    const proxy = await startTcpProxy(new URL(url).host);
    const page = await openPage(browser, `http://${proxy.address}`, bundle);
    await page.evaluate(async () => {
      globalThis.resumed = new Set();
      globalThis.fifths = [];
      const client = backpressure.connect("", {
        onEvent: (event) => {
          if (event.kind === "resumed") globalThis.resumed.add(event.leaseId);
          else globalThis.fifths.push(client.acquire("db").catch((error: Error) => error.name));
        },
      });
      globalThis.leases = await Promise.all(Array.from({ length: 4 }, () => client.acquire("db")));
    });
    await untilHeld(address, 4);
    proxy.cut();
    await page.waitForFunction(() => globalThis.resumed.size === 4);
    const { ids, valid, fifths } = await page.evaluate(async () => ({
      ids: globalThis.leases.map(({ id }) => id).sort(),
      valid: globalThis.leases.every((lease) => lease.valid),
      fifths: await Promise.all(globalThis.fifths),
    }));
    expect(valid).toBe(true);
    expect(new Set(fifths)).toEqual(new Set(["TooManyStreamsError"]));
    const kept: string[] = [];
    for await (const { id } of connectForTest(address).limiters.leases({ limiter: "db" })) kept.push(id);
    expect(kept.sort()).toEqual(ids);
  });

  it("frees its leases at once when the page goes away, though their ttl is long", async () => {
    const { url, address } = await startRealServer(DB);
    const page = await openPage(browser, url, bundle);
    await page.evaluate(async () => {
      const client = backpressure.connect("");
      globalThis.leases = [await client.acquire("db"), await client.acquire("db")];
      const detached = await client.tryAcquire("db");
      if (detached.granted) globalThis.leases.push(detached);
    });
    await untilHeld(address, 3);
    await page.goto("about:blank");
    await untilHeld(address, 0);
  });

  it("frees its leases at once when the page is closed, also on a server of another origin", async () => {
    const origin = await servePage(bundle);
    const { url, address } = await startRealServer(DB, [origin]);
    const page = await newPage(browser);
    await page.goto(origin);
    await page.evaluate(async (to) => {
      globalThis.leases = [await backpressure.connect(to).acquire("db")];
    }, url);
    await untilHeld(address, 1);
    await page.close({ runBeforeUnload: true });
    await untilHeld(address, 0);
  });

  it("loses its leases when the page goes into the back/forward cache, and works again when it comes back", async () => {
    const { url, address } = await startRealServer(DB);
    const page = await openPage(browser, url, bundle);
    const said = await page.evaluate(async () => {
      const client = backpressure.connect("");
      const lease = await client.acquire("db");
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      const lost = lease.signal.reason;
      const end = await lease.release();
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
      const again = await client.acquire("db");
      globalThis.leases = [again];
      return { lost: lost.reason, end, valid: again.valid };
    });
    expect(said).toEqual({ lost: "PAGE_HIDDEN", end: "unconfirmed", valid: true });
    await untilHeld(address, 1);
  });

  it.each(["acquire", "tryAcquire", "pull", "tryPull"] as const)(
    "withdraws %s when its page goes away while the grant is on its way: the next one has it at once whatever the ttl",
    async (verb) => {
      const { near, card, proxy, page, untilGranted } = await openFarPage();
      proxy.stall("answers");
      await page.evaluate((ask) => {
        const { client } = globalThis;
        const board = client.board("release");
        const asked = {
          acquire: () => client.acquire("db"),
          tryAcquire: () => client.tryAcquire("db"),
          pull: () => board.pull("InProgress"),
          tryPull: () => board.tryPull("InProgress", { ttl: 300_000 }),
        };
        asked[ask]().catch(() => {});
      }, verb);
      await untilGranted(verb.endsWith("cquire") ? "lease" : "card");
      await page.goto("about:blank");
      if (verb.endsWith("cquire")) {
        await using lease = await near.acquire("db", { maxWait: 1_000 });
        expect(lease.granted).toBe(true);
      } else {
        await using work = await near.board("release").pull("InProgress", { maxWait: 1_000 });
        expect(work.card).toMatchObject({ id: card, attempt: 1 });
      }
    },
  );

  it("withdraws what waits when its page goes away: a permit that is freed meanwhile goes to the next", async () => {
    const { near, proxy, page, untilGranted } = await openFarPage();
    const holder = await near.acquire("db");
    await page.evaluate(async () => {
      await new Promise<void>((resolve) => {
        globalThis.client.acquire("db", { holder: "page", onWaiting: () => resolve() }).catch(() => {});
      });
    });
    proxy.stall("answers");
    await holder.release();
    // The grant is on its way while the page goes away.
    await untilGranted("lease", "page");
    await page.goto("about:blank");
    await using lease = await near.acquire("db", { maxWait: 1_000 });
    expect(lease.granted).toBe(true);
  });

  it("asks anew for what it had asked when the page comes back from the back/forward cache", async () => {
    const { proxy, page, address, untilGranted } = await openFarPage();
    proxy.stall("answers");
    await page.evaluate(() => {
      void globalThis.client.acquire("db").then((lease) => {
        globalThis.leases = [lease];
      });
    });
    await untilGranted("lease");
    await page.evaluate(() => void dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
    await untilHeld(address, 0);
    await proxy.heal();
    await page.evaluate(() => void dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await page.waitForFunction(() => globalThis.leases?.[0]?.valid === true);
    await untilHeld(address, 1);
  });

  it("asks again for what it waited for when the page comes back from the back/forward cache", async () => {
    const { url, address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1 }]");
    const holder = await connectForTest(address).acquire("db");
    const page = await openPage(browser, url, bundle);
    await page.evaluate(async () => {
      const client = backpressure.connect("");
      await new Promise<void>((resolve) => {
        const acquiring = client.acquire("db", { onWaiting: () => resolve() });
        void acquiring.then((lease) => {
          globalThis.leases = [lease];
        });
      });
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    });
    await holder.release();
    // Nothing is granted to a page that is away.
    await (await connectForTest(address).acquire("db", { maxWait: 1_000 })).release();
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await page.waitForFunction(() => globalThis.leases?.[0]?.valid === true);
  });

  it.each(["at once", "on their way", "while the grants are on their way", "once they are granted"] as const)(
    "gives up an acquire and a pull %s, and the next has them at once whatever the ttl",
    async (when) => {
      const { near, card, proxy, page, untilGranted } = await openFarPage();
      if (when === "on their way") proxy.stall("requests");
      if (when === "while the grants are on their way") proxy.stall("answers");
      await page.evaluate((isAbortedAtOnce) => {
        const { client } = globalThis;
        globalThis.controller = new AbortController();
        const { signal } = globalThis.controller;
        const asked = [client.acquire("db", { signal }), client.board("release").pull("InProgress", { signal })];
        if (isAbortedAtOnce) globalThis.controller.abort(new Error("enough"));
        globalThis.fates = Promise.allSettled(asked).then((all) => all.map(({ status }) => status));
      }, when === "at once");
      if (when === "on their way") await proxy.untilKept();
      if (when === "while the grants are on their way")
        await Promise.all([untilGranted("lease"), untilGranted("card")]);
      if (when === "once they are granted") await page.evaluate(() => globalThis.fates);
      const fates = await page.evaluate(() => {
        globalThis.controller.abort(new Error("enough"));
        return globalThis.fates;
      });
      const fate = when === "once they are granted" ? "fulfilled" : "rejected";
      expect(fates).toEqual([fate, fate]);
      await proxy.heal();
      await using lease = await near.acquire("db", { maxWait: 1000 });
      await using work = await near.board("release").pull("InProgress", { maxWait: 1000 });
      expect(lease.valid).toBe(true);
      expect(work.card).toMatchObject({ id: card });
      if (when !== "once they are granted") expect(work.card.attempt).toBe(1);
    },
  );

  it.each(["ftp://example.com", "http://", "javascript:alert(1)"])("refuses %s as an address", async (address) => {
    const { url } = await startRealServer();
    const page = await openPage(browser, url, bundle);
    const error = await page.evaluate((to) => {
      try {
        backpressure.connect(to);
        return "connected";
      } catch (thrown) {
        return String(thrown);
      }
    }, address);
    expect(error).toContain(`TypeError: cannot connect to ${JSON.stringify(address)}`);
  });

  it("says that the server is unavailable when nothing listens", async () => {
    const { url } = await startRealServer();
    const page = await openPage(browser, url, bundle);
    const said = await page.evaluate(async () => {
      const client = backpressure.connect("http://127.0.0.1:1", { retry: { maxAttempts: 2, initialDelay: 1 } });
      const errors = await Promise.allSettled([client.acquire("db"), client.tryAcquire("db")]);
      return errors.map((settled) => settled.status === "rejected" && settled.reason.name);
    });
    expect(said).toEqual(["ServerUnavailableError", "ServerUnavailableError"]);
  });
});
