import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArrivalIndex, type Member, STRETCH } from "../../../../src/server/machine/structures/arrival-index.ts";

interface Guest extends Member<Guest> {
  readonly arrival: number;
}

function createGuest(arrival: number): Guest {
  return { id: `guest ${arrival}`, arrival, stretch: undefined, seat: 0 };
}

/** Guests come, and leave at either end or between, in numbers that fill and empty several stretches. */
const operation = fc.oneof(
  fc.record({ kind: fc.constant("come" as const), count: fc.integer({ min: 1, max: 2 * STRETCH }) }),
  fc.record({
    kind: fc.constant("go" as const),
    count: fc.integer({ min: 1, max: 3 * STRETCH }),
    /** Of those present, the share that stands before the first to leave, and how many stay between two. */
    from: fc.double({ min: 0, max: 1, noNaN: true }),
    stay: fc.integer({ min: 0, max: 40 }),
  }),
);

describe("the arrival index", () => {
  it("has each guest once, in the order of arrival, however they come and go", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 25 }), (operations) => {
        const members = new ArrivalIndex<Guest>();
        let model: Guest[] = [];
        let arrivals = 0;
        for (const op of operations) {
          if (op.kind === "come") {
            const guests = Array.from({ length: op.count }, () => createGuest(arrivals++));
            for (const guest of guests) members.add(guest);
            model.push(...guests);
          } else {
            const first = Math.floor(op.from * model.length);
            const going = new Set<Guest>();
            for (let i = first; i < model.length && going.size < op.count; i += op.stay + 1) {
              going.add(model[i] as Guest);
            }
            for (const guest of going) members.delete(guest);
            expect([...going].filter(({ id }) => members.get(id) !== undefined)).toEqual([]);
            model = model.filter((guest) => !going.has(guest));
          }
          expect(members.size).toBe(model.length);
          expect([...members.values()].every((guest, at) => guest === model[at])).toBe(true);
          for (const guest of [model[0], model[model.length >> 1], model.at(-1)]) {
            if (guest !== undefined) expect(members.get(guest.id)).toBe(guest);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it("asks few stretches for an id, however many have passed through while a few stayed", () => {
    const members = new ArrivalIndex<Guest>();
    const staying: Guest[] = [];
    let passing: Guest[] = [];
    for (let arrival = 0; arrival < 40 * STRETCH; arrival++) {
      const guest = createGuest(arrival);
      members.add(guest);
      if (arrival % 1000 === 0) staying.push(guest);
      else passing.push(guest);
      if (passing.length < STRETCH) continue;
      for (const each of passing) members.delete(each);
      passing = [];
    }
    for (const each of passing) members.delete(each);
    expect(members.stretches).toBeLessThanOrEqual(3);
    expect([...members.values()]).toEqual(staying);
  });

  it("asks no stretch that is empty", () => {
    const members = new ArrivalIndex<Guest>();
    const queue = Array.from({ length: 10 * STRETCH }, (_, arrival) => createGuest(arrival));
    for (const guest of queue) members.add(guest);
    for (const guest of queue.slice(0, 6 * STRETCH)) members.delete(guest);
    expect(members.stretches).toBe(4);
  });

  it("asks none that became empty while it was the youngest, once there is a younger one", () => {
    const members = new ArrivalIndex<Guest>();
    const [staying, leaving] = [0, STRETCH].map((first) =>
      Array.from({ length: STRETCH }, (_, index) => createGuest(first + index)),
    ) as [Guest[], Guest[]];
    for (const guest of [...staying, ...leaving]) members.add(guest);
    for (const guest of leaving) members.delete(guest);
    expect(members.stretches).toBe(2);
    const newcomer = createGuest(2 * STRETCH);
    members.add(newcomer);
    expect(members.stretches).toBe(2);
    expect([...members.values()]).toEqual([...staying, newcomer]);
  });

  it("takes no guest off twice", () => {
    const members = new ArrivalIndex<Guest>();
    const [one, other] = [createGuest(1), createGuest(2)];
    members.add(one);
    members.add(other);
    members.delete(one);
    members.delete(one);
    expect([...members.values()]).toEqual([other]);
    expect(members.size).toBe(1);
  });
});
