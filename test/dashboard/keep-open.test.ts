import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepOpen, type OpenWatch } from "../../src/dashboard/store/keep-open.ts";

/** What of a page it looks at. */
class Page extends EventTarget {
  hidden = false;
  show(shown: boolean): void {
    this.hidden = !shown;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

let page: Page;
let watch: OpenWatch | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  vi.stubGlobal("document", page);
});
afterEach(() => {
  watch?.close();
  vi.useRealTimers();
});

/** Opens streams that last until they are aborted, or fail at once; notes when each was opened, in ms. */
function open(fails = false) {
  const opened: number[] = [];
  const lost: string[] = [];
  const start = Date.now();
  const signals: AbortSignal[] = [];
  watch = keepOpen({
    read(signal) {
      opened.push(Date.now() - start);
      signals.push(signal);
      if (fails) return Promise.reject(new Error("refused"));
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    onLost: (error) => lost.push((error as Error).message),
  });
  return { opened, lost, signals, watch };
}

test("a stream that fails is opened again, less and less often", async () => {
  const { opened, lost } = open(true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(opened).toEqual([0, 300, 900, 2_100, 4_500, 7_500]);
  expect(new Set(lost)).toEqual(new Set(["refused"]));
});

test("a page that is hidden gives its stream up after a while, and opens another when it is shown", async () => {
  const { opened, lost } = open();
  await vi.advanceTimersByTimeAsync(1_000);
  page.show(false);
  await vi.advanceTimersByTimeAsync(14_000);
  expect(lost).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lost).toEqual(["The page was hidden."]);
  expect(opened).toEqual([0]);
  page.show(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(opened).toHaveLength(2);
});

test("a page that is hidden for a moment keeps its stream", async () => {
  const { opened } = open();
  page.show(false);
  await vi.advanceTimersByTimeAsync(10_000);
  page.show(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(opened).toEqual([0]);
});

test("a stream that may be dead is opened anew within a moment, and after the end none is", async () => {
  const { opened, signals, watch: own } = open();
  await vi.advanceTimersByTimeAsync(5_000);
  own.reopen();
  await vi.advanceTimersByTimeAsync(300);
  expect(opened).toEqual([0, 5_300]);
  own.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(opened).toHaveLength(2);
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
});
