import { expect, test, vi } from "vitest";
import { HANGS_AFTER, startWatchdog } from "../../../src/server/front/workers/watchdog.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const SECOND = 1_000_000;

/** A thread that answers when the test says so. */
function watchThread() {
  const clock = createFakeClock();
  const asked: PromiseWithResolvers<void>[] = [];
  const onHang = vi.fn();
  const stop = startWatchdog({
    clock,
    ask() {
      const question = Promise.withResolvers<void>();
      asked.push(question);
      return question.promise;
    },
    onHang,
  });
  return { clock, asked, onHang, stop };
}

const settle = () => new Promise(setImmediate);

test("a thread that answers, however late, does not hang", async () => {
  const { clock, asked, onHang } = watchThread();
  for (let round = 0; round < 5; round += 1) {
    clock.advance(HANGS_AFTER);
    expect(asked).toHaveLength(round + 1);
    asked.at(-1)?.resolve();
    await settle();
  }
  expect(onHang).not.toHaveBeenCalled();
});

test("a thread that does not answer hangs, which is said once", () => {
  const { clock, onHang } = watchThread();
  clock.advance(HANGS_AFTER);
  expect(onHang).not.toHaveBeenCalled();
  clock.advance(SECOND);
  expect(onHang).toHaveBeenCalledTimes(1);
  clock.advance(10 * HANGS_AFTER);
  expect(onHang).toHaveBeenCalledTimes(1);
  expect(clock.scheduled).toBe(0);
});

test("a process that stands still for a while holds nothing against its threads", () => {
  const late = createFakeClock({ lateness: 60 * SECOND });
  const onHang = vi.fn();
  startWatchdog({ clock: late, ask: () => new Promise(() => {}), onHang });
  late.advance(5 * 60 * SECOND);
  expect(onHang).not.toHaveBeenCalled();
});

test("nothing is looked at once the thread has ended", () => {
  const { clock, onHang, stop } = watchThread();
  clock.advance(SECOND);
  stop();
  clock.advance(10 * HANGS_AFTER);
  expect(onHang).not.toHaveBeenCalled();
  expect(clock.scheduled).toBe(0);
});
