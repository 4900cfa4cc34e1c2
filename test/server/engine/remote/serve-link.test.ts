/** The owner's side of a link, with a front that asks over it, in one thread. */

import { describe, expect, it } from "vitest";
import { createEmbeddedBoardEngine } from "../../../../src/server/engine/embedded/embedded-board-engine.ts";
import { createEmbeddedEngine } from "../../../../src/server/engine/embedded/embedded-engine.ts";
import type { Ask, Engine } from "../../../../src/server/engine/engine.ts";
import { createRemoteEngines } from "../../../../src/server/engine/remote/remote-engines.ts";
import { serveLink } from "../../../../src/server/engine/remote/serve-link.ts";
import { createMemoryStore } from "../../../../src/server/store/memory-store.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { limiterOf } from "../../../support/limiter-config.ts";
import { calm, createLink } from "./support.ts";

const SECOND = 1_000_000;

function createOwner() {
  const clock = createFakeClock();
  const limiters = createEmbeddedEngine({ clock, store: createMemoryStore(), machine: { maxWaiters: 1_000_000 } });
  const boards = createEmbeddedBoardEngine({ clock, store: createMemoryStore(), limiters });
  const bugs: unknown[] = [];
  const lost: string[] = [];

  function link(options: { readonly maxPending?: number } = {}) {
    const carried = createLink();
    const served = serveLink({
      engines: { limiters, boards },
      carrier: carried.owner,
      clock,
      onLost: (why) => lost.push(why),
      onBug: (error) => bugs.push(error),
    });
    return { ...carried, served, remote: createRemoteEngines({ carrier: carried.front, ...options }) };
  }

  return { clock, limiters, boards, bugs, lost, link };
}

function ask(engine: Engine, command: Ask): Promise<unknown> {
  return new Promise((resolve) => engine.submit(command, resolve, ({ decided }) => resolve(`failed, ${decided}`)));
}

function acquireOf(id: string, stream: number): Ask {
  const claims = [{ limiter: "db", key: "", permits: 1, tokens: 0, slots: false }];
  const asked = { holder: id, maxWait: undefined, ttl: undefined, requestId: `request-of-${id}` };
  return { kind: "acquire", id, claims, ...asked, stream, monitored: true, keepOnCancel: false, session: undefined };
}

async function attachments({ limiters }: { readonly limiters: Engine }): Promise<readonly string[]> {
  const { items } = await limiters.leases({ limiter: "db", key: "", after: "", limit: 1_000 });
  return items.map(({ id, attachment }) => `${id} ${attachment}`);
}

describe("a link", () => {
  it("orphans what a lost front holds and what it is granted on its way, and nothing that it has let go", async () => {
    const owner = createOwner();
    const { limiters } = owner;
    await ask(limiters, { kind: "create-limiter", config: limiterOf({ maxConcurrent: 3, ttl: 10 * SECOND }) });
    const first = owner.link();
    const second = owner.link();
    for (const id of ["a", "b", "w"]) {
      const { limiters: remote } = first.remote;
      expect(
        await ask(
          remote,
          acquireOf(
            id,
            remote.openStream(
              () => {},
              () => {},
            ),
          ),
        ),
      ).toMatchObject({ kind: "granted" });
    }
    const other = second.remote.limiters;
    expect(
      await ask(
        other,
        acquireOf(
          "x",
          other.openStream(
            () => {},
            () => {},
          ),
        ),
      ),
    ).toMatchObject({ kind: "waiting" });
    await ask(first.remote.limiters, { kind: "release", leaseId: "b", workOutcome: "success", session: undefined });
    first.served.lose();
    await calm();
    expect((await attachments(owner)).toSorted()).toEqual(["a orphaned", "w orphaned", "x attached"]);
    expect(owner.lost).toEqual(["closed"]);
    owner.clock.advance(13 * SECOND);
    expect(await attachments(owner)).toEqual(["x attached"]);
  });

  it("leaves many of a lost front a few at a time", async () => {
    const owner = createOwner();
    await ask(owner.limiters, {
      kind: "create-limiter",
      config: limiterOf({ maxConcurrent: 1_000, maxWaiters: 1_000, ttl: 10 * SECOND }),
    });
    const { remote, served } = owner.link();
    const all = Array.from({ length: 500 }, (_, i) => {
      const stream = remote.limiters.openStream(
        () => {},
        () => {},
      );
      return ask(remote.limiters, acquireOf(`lease-${i}`, stream));
    });
    await Promise.all(all);
    served.lose();
    const orphaned = async () => (await attachments(owner)).filter((one) => one.endsWith("orphaned")).length;
    expect(await orphaned()).toBe(200);
    owner.clock.advance(0);
    expect(await orphaned()).toBeGreaterThan(200);
    for (let i = 0; i < 5; i++) owner.clock.advance(0);
    expect(await orphaned()).toBe(500);
  });

  it("bounds the commands that wait for their answers at a front", async () => {
    const owner = createOwner();
    const { remote, stall } = owner.link({ maxPending: 3 });
    stall();
    const answers = ["a", "b", "c", "d"].map((leaseId) => ask(remote.limiters, { kind: "renew", leaseId }));
    expect(await answers[3]).toBe("failed, no");
    expect(await Promise.race([...answers.slice(0, 3), calm()])).toBeUndefined();
  });

  it("has one subscription to each engine, whatever the number of watchers at the front", async () => {
    const owner = createOwner();
    const { remote, texts } = owner.link();
    const heard: string[] = [];
    const stops = ["first", "second"].map((name) =>
      remote.limiters.watch(
        ({ changed }) => heard.push(...changed.map(({ config }) => `${name}: ${config.name}`)),
        () => {},
      ),
    );
    await calm();
    await ask(owner.limiters, { kind: "create-limiter", config: limiterOf({ maxConcurrent: 1 }) });
    owner.clock.advance(SECOND);
    await calm();
    expect(heard).toEqual(["first: db", "second: db"]);
    expect(texts.filter(({ text }) => text.includes("limiters-changed"))).toHaveLength(1);
    for (const stop of stops) stop();
    await calm();
    expect(texts.filter(({ text }) => text.includes("unwatch"))).toHaveLength(1);
  });

  it("calls nothing of an engine but what a front may read", async () => {
    const owner = createOwner();
    const { remote, bugs } = { ...owner, ...owner.link() };
    const reads = remote.limiters as unknown as { limiter(name: string, key: string): Promise<unknown> };
    expect(await reads.limiter("none", "")).toBeUndefined();
    const raw = owner.link();
    raw.front.post(
      JSON.stringify({ read: 0, said: [{ kind: "read", of: "limiters", id: 1, method: "close", args: [] }] }),
    );
    await calm();
    expect(bugs.map(String)).toEqual(["Error: a front asked for close, which no engine has"]);
    expect(await owner.limiters.limiter("none", "")).toBeUndefined();
  });

  it("answers a command at which an engine has failed, and tells its owner", async () => {
    const owner = createOwner();
    const broken: Engine = {
      ...owner.limiters,
      submit() {
        throw new Error("a bug");
      },
    };
    const bugs: unknown[] = [];
    const { front, owner: end } = createLink();
    serveLink({
      engines: { limiters: broken, boards: owner.boards },
      carrier: end,
      clock: owner.clock,
      onLost: () => {},
      onBug: (error) => bugs.push(error),
    });
    const remote = createRemoteEngines({ carrier: front });
    expect(await ask(remote.limiters, { kind: "renew", leaseId: "a" })).toBe("failed, unknown");
    expect(bugs).toHaveLength(1);
  });
});
