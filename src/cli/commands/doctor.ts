/** `backpressure doctor`: what is wrong with a server, or looks as if it were not meant, and what to do. */

import { type Duration, durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { createSystemClock } from "../../client/rpc/clock.ts";
import type { ServerLoad } from "../../server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { formatCount } from "../../text/number.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding, Level } from "../doctor/finding.ts";
import type { LoadFacts, ServerFacts } from "../doctor/observations.ts";
import type { ReadServer } from "../doctor/observe.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { wrapText } from "../text/width.ts";

const HELP = `
Asks the server and changes nothing: whether it is reached (also on its web port, where that is known), how far it is, what
stands between, whether it serves, drains or learns, its version, its clock, what it keeps, and whether limits of limiters and
boards look wrong. Of each finding it says what there is, why that matters, and what to do.

Exits with 0 where it finds no problem, with 1 where it finds one, also if the server cannot be reached.

Examples:
  backpressure doctor
  backpressure --address https://backpressure.example.com doctor
  backpressure --json doctor | jq -r '.findings[] | select(.level == "problem") | .what'`;

export const defineDoctor: DefineCommand = (command, handle) => {
  command.addHelpText("after", HELP).action(handle(doctor));
};

async function doctor({ terminal, address, json, version }: Context): Promise<number> {
  const findings = await examine({ address, clientVersion: version, readServer });
  const problems = findings.filter(({ level }) => level === "problem").length;
  if (json) terminal.print(JSON.stringify({ address, ok: problems === 0, findings }));
  else for (const line of report(findings, terminal.size()?.columns)) terminal.print(line);
  return problems === 0 ? EXIT.ok : EXIT.refused;
}

const MARKS: Readonly<Record<Level, string>> = { ok: "✓", note: "·", warning: "!", problem: "✗" };
const INDENT = "  ";

function report(findings: readonly Finding[], width: number | undefined): string[] {
  const room = width === undefined ? undefined : width - INDENT.length;
  const lines = findings.flatMap(({ level, what, why, todo }) => {
    const [first = "", ...others] = wrapText(what, room);
    const below = [why, todo && `→ ${todo}`].filter(Boolean).flatMap((text) => wrapText(text, room));
    return [`${MARKS[level]} ${first}`, ...[...others, ...below].map((line) => `${INDENT}${line}`)];
  });
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const counts = [formatCount(count("problem"), "problem"), formatCount(count("warning"), "warning")];
  return [...lines, "", `${counts.join(", ")}, ${formatCount(count("note"), "note")}`];
}

const readServer: ReadServer = async (connection) => {
  const { ConfigService } = await import("../../server/gen/ggen/backpressure/config/v1/config_service_pb.ts");
  const { Durability } = await import("../../server/gen/ggen/backpressure/config/v1/config_pb.ts");
  const clock = createSystemClock();
  const calls = connection.callsTo(ConfigService);
  const asked = clock.now().wall;
  const response = await calls.unary((rpc, options) => rpc.getConfig({}, options)).catch(() => undefined);
  if (response === undefined) return undefined;
  // In the middle between question and answer.
  const here = (asked + clock.now().wall) / 2;
  const { config, serverVersion, readTime, status, restartFields } = response;
  const there = readTime && timestampDate(readTime).getTime();
  const learnsUntil = status?.learningEndTime && timestampDate(status.learningEndTime).getTime();
  const keeps = (): ServerFacts["keeps"] => {
    if (config?.store === undefined) return "nothing";
    if (config.store.leases === Durability.NONE) return "no-leases";
    return config.store.leases === Durability.DISK ? "disk" : "process";
  };
  return {
    version: serverVersion,
    clockAhead: there === undefined ? undefined : there - here,
    draining: status?.draining ?? false,
    learningFor: learnsUntil === undefined || there === undefined ? 0 : Math.max(0, learnsUntil - there),
    storeProblem: status?.storeProblem ?? "",
    fileProblems: status?.fileProblems ?? [],
    fileProblemCount: status?.fileProblemCount ?? 0,
    keeps: keeps(),
    restartFields,
    listens: config?.listeners?.grpc ?? "",
    web: config?.listeners?.web ?? "",
    load: status?.load && factsOf(status.load),
  };
};

function factsOf(load: ServerLoad): LoadFacts {
  const { streams, grpcConnections, webConnections, eventLoopDelay, heapUsedBytes, storeBytes } = load;
  const ms = (duration: Duration | undefined) => (duration === undefined ? 0 : durationMs(duration));
  return {
    streams: streams.reduce((sum, { open }) => sum + open, 0),
    connections: grpcConnections + webConnections,
    p99: ms(eventLoopDelay?.p99),
    longest: ms(eventLoopDelay?.longest),
    thread: eventLoopDelay?.thread ?? "",
    heapUsed: Number(heapUsedBytes),
    storeBytes: storeBytes === undefined ? undefined : Number(storeBytes),
  };
}
