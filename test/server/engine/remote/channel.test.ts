import { describe, expect, it } from "vitest";
import { createChannel, type LossReason } from "../../../../src/server/engine/remote/channel.ts";
import { calm, createLink } from "./support.ts";

function pair(options: { readonly maxUnread?: number } = {}) {
  const link = createLink();
  const heard: { front: unknown[]; owner: unknown[] } = { front: [], owner: [] };
  const lost: LossReason[] = [];
  const front = createChannel<unknown, unknown>({
    carrier: link.front,
    hear: (message) => heard.front.push(message),
    onLost: () => {},
  });
  const owner = createChannel<unknown, unknown>({
    carrier: link.owner,
    hear: (message) => heard.owner.push(message),
    onLost: (why) => lost.push(why),
    ...options,
  });
  return { link, heard, lost, front, owner };
}

describe("a channel", () => {
  it("carries all that is said in one turn as one text, in order", async () => {
    const { link, heard, front } = pair();
    for (let i = 0; i < 100; i++) front.say(i);
    await calm();
    expect(heard.owner).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(link.texts).toHaveLength(1);
  });

  it("says nothing while nothing is said", async () => {
    const { link, front, owner } = pair();
    front.say("a");
    await calm();
    owner.say("b");
    await calm();
    expect(link.texts.map(({ from }) => from)).toEqual(["front", "owner"]);
  });

  it("says that it has read much, though it has nothing to say", async () => {
    const { link, front } = pair();
    front.say("x".repeat(1 << 20));
    await calm();
    expect(link.texts.map(({ from, text }) => ({ from, large: text.length > 100 }))).toEqual([
      { from: "front", large: true },
      { from: "owner", large: false },
    ]);
  });

  it("gives up a side that does not read, and no other", async () => {
    const large = "x".repeat(10_000);
    const reading = pair({ maxUnread: 50_000 });
    for (let i = 0; i < 20; i++) {
      reading.owner.say(large);
      await calm();
      reading.front.say("an answer");
      await calm();
    }
    expect(reading.lost).toEqual([]);
    const hung = pair({ maxUnread: 50_000 });
    hung.link.stall();
    for (let i = 0; i < 20; i++) {
      hung.owner.say(large);
      await calm();
    }
    expect(hung.lost).toEqual(["unread"]);
    expect(hung.link.texts.length).toBeLessThanOrEqual(5);
  });

  it("says nothing after its end, and hears of the other's once", async () => {
    const { link, lost, front, owner } = pair();
    front.close();
    front.say("late");
    await calm();
    owner.say("late");
    await calm();
    expect(lost).toEqual(["closed"]);
    expect(link.texts).toEqual([]);
  });
});
