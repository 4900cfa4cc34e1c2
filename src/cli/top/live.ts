/** `top` on a terminal, from its first screen to its last. */

import { BoardService } from "../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { WatchLimitersResponse } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { Clock } from "../../client/rpc/clock.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import { explain } from "../../explain/explanation.ts";
import { lookAt } from "../../explain/look.ts";
import { readBoards, readBoardView } from "../reading/board-view.ts";
import { createLookPorts } from "../reading/look-ports.ts";
import { openConnection } from "../session/connection.ts";
import { failureOf } from "../session/failure.ts";
import type { Screen } from "../session/screen.ts";
import type { Key } from "../text/keys.ts";
import type { Detail } from "./detail.ts";
import { draw } from "./draw.ts";
import { feed } from "./feed.ts";
import { press } from "./press.ts";
import { createTopState, type Opened } from "./state.ts";

/** What `top` needs of a terminal. */
export interface TopTerminal {
  /** Takes the screen over; `onResize` is called when it has another size. */
  openScreen(onResize: () => void): Screen;
  /** Reads keys; `onEnd` is called when none can come any more. */
  openKeyboard(onKey: (key: Key) => void, onEnd: () => void): Disposable;
}

export interface LiveOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly terminal: TopTerminal;
  /** Ends it. */
  readonly ending: AbortController;
}

/** ms between two screens, unless a key is pressed, and between two looks at what is polled. */
const REDRAW = 500;
const LOOK = 1_000;
/** Cards of a stage that are read. */
const MOST_CARDS = 50;

/** Shows what goes on until a key, or `ending`, ends it. Rejects if the server cannot be reached at first. */
export async function runLive({ address, clock, terminal, ending }: LiveOptions): Promise<void> {
  const state = createTopState(address);
  const { signal } = ending;
  const end = () => ending.abort();
  using stack = new DisposableStack();
  const connection = stack.use(await openConnection(address));
  const limiterCalls = connection.callsTo(LimiterService);
  const boardCalls = connection.callsTo(BoardService);
  const ports = createLookPorts(limiterCalls);
  let screen: Screen | undefined;
  let page = 1;
  let isDirty = true;
  let isLooking = false;
  let isWhole = false;

  function redraw(): void {
    if (screen === undefined) return;
    isDirty = false;
    const { monotonic: now, wall } = clock.now();
    const drawn = draw(state, { ...screen.size, now, wall });
    page = drawn.page;
    screen.draw(drawn.lines);
  }

  function begin(): void {
    screen = stack.use(terminal.openScreen(redraw));
    stack.use(terminal.openKeyboard(onKey, end));
    redraw();
    void look();
  }

  function onNews({ event, more = false }: WatchLimitersResponse): void {
    const at = clock.now().monotonic;
    switch (event.case) {
      case "snapshot":
        state.limiters.clear();
        for (const wire of event.value.limiters) state.limiters.set(wire.name, { limiter: limiterFromWire(wire), at });
        isWhole = false;
        break;
      case "changed":
        state.limiters.set(event.value.name, { limiter: limiterFromWire(event.value), at });
        break;
      case "removed":
        state.limiters.delete(event.value);
        break;
    }
    isDirty = true;
    if (more || isWhole) return;
    isWhole = true;
    state.connection = { kind: "live" };
    if (screen === undefined) begin();
    else redraw();
  }

  function onLost(error: unknown): void {
    const why = error === undefined ? "the server has ended the stream" : failureOf(error).message;
    const { monotonic: at, wall } = clock.now();
    state.connection =
      state.connection.kind === "lost" ? { ...state.connection, why } : { kind: "lost", at, wall, why };
    redraw();
  }

  function onKey(key: Key): void {
    const pressed = press(state, key, { page, now: clock.now().monotonic });
    if (pressed === "quit") end();
    else redraw();
    if (pressed === "opened" || key.kind === "tab") void look();
  }

  /** Reads what is not watched: boards, and what is looked at closely. One look at a time. */
  async function look(): Promise<void> {
    if (isLooking || state.connection.kind === "lost") return;
    isLooking = true;
    const { opened } = state;
    if (opened !== undefined) opened.detail = await readDetail(opened).catch(failed);
    else if (state.tab === "boards") state.boards = await readBoards(boardCalls).catch(() => state.boards);
    isLooking = false;
    if (signal.aborted) return;
    redraw();
    // Another was opened meanwhile.
    if (state.opened !== undefined && state.opened.detail === undefined) void look();
  }

  async function readDetail({ tab, name }: Opened): Promise<Detail> {
    if (tab === "boards") return { kind: "board", view: await readBoardView(boardCalls, name, MOST_CARDS) };
    const sights = await lookAt(ports, name, "");
    return { kind: "limiter", explanation: explain(sights), sight: sights.of };
  }

  every(clock, signal, REDRAW, () => isDirty && redraw());
  // Ages grow, and what is polled changes.
  every(clock, signal, LOOK, () => {
    isDirty = true;
    void look();
  });
  await feed({ address, clock, signal, onNews, onLost });
}

function failed(error: unknown): Detail {
  return { kind: "failed", why: failureOf(error).message };
}

function every(clock: Clock, signal: AbortSignal, interval: number, act: () => void): void {
  let cancel = () => {};
  const arm = () => {
    cancel = clock.scheduleInBackground(interval, () => {
      act();
      if (!signal.aborted) arm();
    });
  };
  arm();
  signal.addEventListener("abort", () => cancel(), { once: true });
}
