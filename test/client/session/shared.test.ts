import { expect, it } from "vitest";
import { createShared } from "../../../src/client/session/shared.ts";

it("opens what is shared for the first and closes it after the last, by each of whom it is left once", () => {
  const shared = createShared<number>();
  const closed: number[] = [];
  let opened = 0;
  const open = () => {
    opened += 1;
    const item = opened;
    return { item, close: () => void closed.push(item) };
  };
  const first = shared.take("a", open);
  const second = shared.take("a", open);
  const other = shared.take("b", open);
  expect([first.item, second.item, other.item]).toEqual([1, 1, 2]);
  first.leave();
  first.leave();
  expect(closed).toEqual([]);
  second.leave();
  expect(closed).toEqual([1]);
  expect(shared.take("a", open).item).toBe(3);
});
