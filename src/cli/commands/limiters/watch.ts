/** `backpressure limiters watch`: limiters as they change. */

import type { Limiter } from "../../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import {
  type WatchLimitersResponse,
  WatchLimitersResponseSchema,
} from "../../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { limiterLine, limiterTable } from "../../output/limiter-table.ts";
import { openLimiterCalls } from "../../session/connection.ts";
import type { Context, DefineCommand } from "../../session/context.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { ENDING_SIGNALS, hearSignals } from "../../session/signals.ts";
import type { Terminal } from "../../session/terminal.ts";
import { jsonLine } from "../../text/json-line.ts";

const HELP = `
On a terminal this is a table that is kept up to date; elsewhere, a line for each change. Ctrl-C ends it.

Examples:
  backpressure limiters watch
  backpressure limiters watch gpu db
  backpressure --json limiters watch | jq -c .changed`;

export const defineWatch: DefineCommand = (command, handle) => {
  command
    .argument("[limiters...]", "which (default: all, those to come too)")
    .addHelpText("after", HELP)
    .action(handle(watch));
};

async function watch({ terminal, address, json }: Context, names: string[]): Promise<number> {
  const ended = new AbortController();
  const end = () => ended.abort();
  terminal.closed.addEventListener("abort", end);
  using _signals = hearSignals(ENDING_SIGNALS, end);
  using calls = await openLimiterCalls(address);
  const { signal } = ended;
  const show = json ? createJson(terminal) : terminal.size() ? createScreen(terminal) : createLines(terminal);
  try {
    for await (const news of calls.stream((rpc) => rpc.watchLimiters({ names }, { signal }), signal)) show(news);
  } finally {
    terminal.restore();
  }
  return EXIT.ok;
}

type Show = (news: WatchLimitersResponse) => void;

function createJson(terminal: Terminal): Show {
  return (news) => terminal.print(jsonLine(WatchLimitersResponseSchema, news));
}

function createLines(terminal: Terminal): Show {
  return ({ event }) => {
    switch (event.case) {
      case "snapshot":
        for (const limiter of event.value.limiters) terminal.print(limiterLine(limiter));
        return;
      case "changed":
        terminal.print(limiterLine(event.value));
        return;
      case "removed":
        terminal.print(`${event.value}: gone`);
        return;
    }
  };
}

function createScreen(terminal: Terminal): Show {
  const limiters = new Map<string, Limiter>();
  return (news) => {
    take(limiters, news);
    if (news.more) return;
    const rows = [...limiters.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    terminal.redraw(limiterTable(rows, terminal.size()?.columns));
  };
}

function take(limiters: Map<string, Limiter>, { event }: WatchLimitersResponse): void {
  switch (event.case) {
    case "snapshot":
      limiters.clear();
      for (const limiter of event.value.limiters) limiters.set(limiter.name, limiter);
      return;
    case "changed":
      limiters.set(event.value.name, event.value);
      return;
    case "removed":
      limiters.delete(event.value);
      return;
  }
}
