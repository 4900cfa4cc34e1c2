/** Cards that are pulled, held and ended in a session. */

import { describe, expect, it } from "vitest";
import type { Work } from "../../../src/client/api/work.ts";
import { CardState } from "../../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { refusal } from "../../../src/server/machine/reasons.ts";
import { refusalError } from "../../../src/server/wire/error-wire.ts";
import { aborted } from "../support/aborted.ts";
import { RENEW_AFTER, settle, TTL, VALID_FOR } from "../support/client-fixture.ts";
import { connectionLost } from "../support/fake-service.ts";
import { pulled, pulledEvent } from "../support/pulled-card.ts";
import {
  CREDENTIAL,
  createSessionFixture,
  nextSession,
  openSession,
  renewedAll,
  statusOf,
  TOO_MANY_COMMANDS,
} from "../support/session-fixture.ts";

const CARD = { board: "release", cardId: "card-1", fencingToken: 7n };

/** A card that was pulled at once. */
async function begin(how: "pull" | "tryPull" = "pull") {
  const fixture = createSessionFixture();
  const board = fixture.client.board("release");
  const pulling = how === "pull" ? board.pull("InProgress") : board.tryPull("InProgress", { ttl: TTL });
  const opened = await openSession(fixture);
  opened.answer((await opened.nextOf(how)).id, { case: "pulled", value: pulled() });
  return { ...fixture, ...opened, board, work: (await pulling) as Work };
}

describe("a card that is pulled in a session", () => {
  it("is waited for, held, and renewed with all else", async () => {
    const fixture = createSessionFixture();
    const missing: unknown[] = [];
    const board = fixture.client.board("release");
    const pulling = board.pull("InProgress", { onWaiting: ({ pullersAhead }) => missing.push(pullersAhead) });
    const { nextOf, answer } = await openSession(fixture);
    const { id, value } = await nextOf("pull");
    expect(value).toMatchObject({ board: "release", stage: "InProgress", keepOnCancel: false });
    answer(id, { case: "pullWaiting", value: { pullersAhead: 1 } });
    answer(id, { case: "pulled", value: pulled() });
    const work = await pulling;
    expect(work).toMatchObject({ valid: true, fencingToken: 7n, card: { id: "card-1" } });
    expect(missing).toEqual([1]);
    fixture.clock.advance(RENEW_AFTER);
    answer((await nextOf("renew")).id, renewedAll());
    await settle();
    fixture.clock.advance(VALID_FOR - 1);
    expect(work.valid).toBe(true);
  });

  it("is finished by one command, and leaves nothing", async () => {
    const { work, nextOf, answer, isAtRest } = await begin();
    const finishing = work.finish("done");
    const { id, value } = await nextOf("finish");
    expect(value).toMatchObject({ ...CARD, result: "done" });
    answer(id, { case: "finished", value: { card: { id: "card-1", state: CardState.FINISHED } } });
    expect(await finishing).toMatchObject({ id: "card-1", state: "finished" });
    await settle();
    expect(isAtRest()).toBe(true);
  });

  it.each([
    ["giveBack", "givenBack"],
    ["sendBack", "sentBack"],
  ] as const)("is ended by %s", async (command, answered) => {
    const { work, nextOf, answer } = await begin("tryPull");
    const ending = work[command]("a reason");
    const { id, value } = await nextOf(command);
    expect(value).toMatchObject({ ...CARD, reason: "a reason" });
    answer(id, { case: answered, value: { card: { id: "card-1", state: CardState.WAITING } } });
    expect(await ending).toMatchObject({ id: "card-1" });
  });

  it("is none where the stage has none", async () => {
    const fixture = createSessionFixture();
    const board = fixture.client.board("release");
    const answers = [board.pull("InProgress", { maxWait: 0 }), board.tryPull("InProgress")];
    const { nextOf, answer } = await openSession(fixture);
    const none = { case: "none" as const, value: { message: "nothing" } };
    answer((await nextOf("tryPull")).id, none);
    answer((await nextOf("pull")).id, none);
    await expect(answers[0]).rejects.toMatchObject({ message: "nothing" });
    expect(await answers[1]).toMatchObject({ granted: false, message: "nothing" });
  });

  it("is nothing to hold where a queue has it", async () => {
    const fixture = createSessionFixture();
    const pulling = fixture.client.board("release").pull("Ready");
    const { nextOf, answer } = await openSession(fixture);
    const value = { card: { id: "card-1", stage: "Ready", state: CardState.WAITING } };
    answer((await nextOf("pull")).id, { case: "pulled", value });
    expect(await pulling).toMatchObject({ held: false });
    await settle();
    expect(fixture.isAtRest()).toBe(true);
  });

  it("is lost with the notice of its end", async () => {
    const { work, session } = await begin();
    session.say({
      notices: [
        {
          subject: { case: "card", value: CARD },
          notice: { case: "ended", value: statusOf(refusalError(refusal("CARD_DELETED"))) },
        },
      ],
    });
    expect(await aborted(work.signal)).toMatchObject({ reason: "CARD_DELETED" });
  });

  it("is taken up again with its session", async () => {
    const held = await begin();
    held.session.fail(connectionLost());
    await settle();
    held.clock.advance(25);
    const again = await nextSession(held);
    expect(again.first.open).toMatchObject({ resume: CREDENTIAL });
    const { id } = await again.nextOf("renew");
    again.session.say({
      opened: { credential: CREDENTIAL, resumed: true, cards: [CARD] },
      answers: [{ id, answer: renewedAll() }],
    });
    await settle();
    held.clock.advance(VALID_FOR - 1);
    expect(held.work.valid).toBe(true);
  });

  it("that is no more in the session is asked for by a stream of its own, which says why", async () => {
    const held = await begin();
    held.session.fail(connectionLost());
    await settle();
    held.clock.advance(25);
    const again = await nextSession(held);
    const { id } = await again.nextOf("renew");
    again.session.say({
      opened: { credential: CREDENTIAL, resumed: true },
      answers: [{ id, answer: { case: "renewed", value: {} } }],
    });
    const stream = await held.service.pullCard.next();
    expect(stream.request).toMatchObject({ board: "release", resume: { cardId: "card-1", fencingToken: 7n } });
    stream.fail(
      refusalError(refusal("STALE_FENCING_TOKEN", { at: { board: "release", stage: "InProgress", card: "card-1" } })),
    );
    expect(await aborted(held.work.signal)).toMatchObject({ reason: "STALE_FENCING_TOKEN" });
  });

  it("and is not in the session is renewed by a call", async () => {
    const fixture = createSessionFixture();
    const pulling = fixture.client.board("release").pull("InProgress");
    const { nextOf, answer } = await openSession(fixture);
    const { id } = await nextOf("pull");
    answer(id, { case: "failed", value: TOO_MANY_COMMANDS });
    (await fixture.service.pullCard.next()).say(pulledEvent());
    await pulling;
    fixture.clock.advance(RENEW_AFTER);
    expect((await fixture.service.renewCards.next()).request.cards).toMatchObject([{ cardId: "card-1" }]);
  });
});
