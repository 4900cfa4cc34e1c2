/** `backpressure diff`: what of a configuration differs from what the server runs, and why. */

import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ConfigOrigin } from "../../server/config/config.ts";
import type { Difference } from "../../server/config/diff/difference.ts";
import { formatCount, formatInstant } from "../../text/number.ts";
import { openConnection } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";
import { allPages } from "../session/pages.ts";
import { type Column, formatTable } from "../text/table.ts";

const HELP = `
Reads the file as \`check\` does, with the variables of this environment, asks the server what it runs, and says of each
difference why it is there and what ends it:
  not-taken-up        it is in the file; a reload (SIGHUP) takes it up
  needs-restart       it takes effect at the server's next start
  refused             a reload would not take it up as things stand
  changed-by-rpc      it was as in the file, and was changed by RPC since
  set-by-environment  a variable of the server's environment stands for it
  made-by-rpc         the file knows nothing of it

Exits with 0 if there is no difference, 1 if there is one, 2 if the file is not valid, and 3 if the server cannot be reached.

Examples:
  backpressure diff backpressure.yaml
  backpressure --address localhost:50051 diff backpressure.yaml
  backpressure --json diff backpressure.yaml`;

export const defineDiff: DefineCommand = (command, handle) => {
  command.argument("<file>", "the configuration").addHelpText("after", HELP).action(handle(diff));
};

async function diff({ terminal, address, json }: Context, path: string): Promise<number> {
  const plain = await readFile(path, { overrides: [] });
  const running = await readRunning(address);
  const { saidElsewhere } = await import("../../server/config/diff/diff-settings.ts");
  const file = await readFile(path, saidElsewhere(running.config));
  const { diffConfig } = await import("../../server/config/diff/diff-config.ts");
  const differences = diffConfig({ file, plain }, running);
  const { config } = running;
  const loadTime = config.loadTime && timestampDate(config.loadTime);
  if (json) {
    const server = { address, file: config.file, loadTime, restartFields: config.restartFields };
    terminal.print(JSON.stringify({ differences: differences.map(jsonOf), server }));
    return differences.length === 0 ? EXIT.ok : EXIT.refused;
  }
  const since = loadTime === undefined ? "" : `, taken up ${formatInstant(loadTime)}`;
  const runs = config.file === "" ? "the default configuration" : config.file;
  if (differences.length === 0) {
    const counts = `${formatCount(file.limiters.length, "limiter")}, ${formatCount(file.boards.length, "board")}`;
    terminal.print(`${path} is what ${address} runs (${counts}); it reads ${runs}${since}`);
    return EXIT.ok;
  }
  for (const line of describe(differences, terminal.size()?.columns)) terminal.print(line);
  terminal.print(`${formatCount(differences.length, "difference")}; ${address} reads ${runs}${since}`);
  return EXIT.refused;
}

const NOTHING = "-";

const COLUMNS: readonly Column<Difference>[] = [
  { heading: "WHAT", cell: whatOf },
  { heading: "FILE", cell: ({ file }) => file ?? NOTHING, cut: true },
  { heading: "RUNS", cell: ({ running }) => running ?? NOTHING, cut: true },
  { heading: "WHY", cell: ({ why }) => why },
];

/** The table, with what becomes of its rows below them, once where it is the same for several. */
function describe(differences: readonly Difference[], width: number | undefined): readonly string[] {
  const [heading = "", ...rows] = formatTable(COLUMNS, differences, width);
  return [
    heading,
    ...differences.flatMap(({ explanation }, index) => {
      const row = rows[index] ?? "";
      return explanation === differences[index + 1]?.explanation ? [row] : [row, `  ${explanation}`];
    }),
  ];
}

/** `limits.max_waiters`, `limiter db`, `limiter db: max_concurrent`. */
function whatOf({ kind, name, field }: Difference): string {
  if (kind === "setting") return field;
  return field === "" ? `${kind} ${name}` : `${kind} ${name}: ${field}`;
}

function jsonOf({ file, running, ...difference }: Difference) {
  return { ...difference, file: file ?? null, running: running ?? null };
}

/** `elsewhere`: what the server's environment and command line say, which are not those of this process. */
async function readFile(path: string, elsewhere: Pick<ConfigOrigin, "overrides" | "data">) {
  const { loadConfig } = await import("../../server/config/config.ts");
  const { readEnvironment } = await import("../../server/config/environment.ts");
  const { formatProblem } = await import("../../server/config/problem.ts");
  const { variables } = readEnvironment();
  const reading = loadConfig({ path, variables, ...elsewhere });
  if (reading.kind === "loaded") return reading;
  throw new UsageError(["the file is not valid:", ...reading.problems.map(formatProblem)].join("\n"));
}

async function loadServices() {
  const { ConfigService } = await import("../../server/gen/ggen/backpressure/config/v1/config_service_pb.ts");
  const { LimiterService } = await import("../../server/gen/ggen/backpressure/v1/limiter_service_pb.ts");
  const { BoardService } = await import("../../server/gen/ggen/backpressure/v1/board_service_pb.ts");
  return { ConfigService, LimiterService, BoardService };
}

async function readRunning(address: string) {
  const { ConfigService, LimiterService, BoardService } = await loadServices();
  using connection = await openConnection(address);
  const configs = connection.callsTo(ConfigService);
  const limiterCalls = connection.callsTo(LimiterService);
  const boardCalls = connection.callsTo(BoardService);
  const config = await configs.unary((rpc, options) => rpc.getConfig({}, options));
  const limiters = await allPages(async (query) => {
    const page = await limiterCalls.unary((rpc, options) => rpc.listLimiters(query, options));
    return { items: page.limiters, nextPageToken: page.nextPageToken };
  });
  const declaredLimiters = await allPages(async (query) => {
    const page = await configs.unary((rpc, options) => rpc.listDeclaredLimiters(query, options));
    return { items: page.limiters, nextPageToken: page.nextPageToken };
  });
  const boards = await allPages(async (query) => {
    const page = await boardCalls.unary((rpc, options) => rpc.listBoards(query, options));
    return { items: page.boards, nextPageToken: page.nextPageToken };
  });
  const declaredBoards = await allPages(async (query) => {
    const page = await configs.unary((rpc, options) => rpc.listDeclaredBoards(query, options));
    return { items: page.boards, nextPageToken: page.nextPageToken };
  });
  return { config, limiters, declaredLimiters, boards, declaredBoards };
}
