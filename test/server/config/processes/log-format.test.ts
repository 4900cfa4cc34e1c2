/** The form of the log and of the greeting: lines to read on a terminal, JSON elsewhere, and what `--pretty` says of it. */

import { expect, test } from "vitest";
import { startProgram } from "../../../support/program.ts";

const MAIN = ["src/cli/main.ts", "serve", "--data", "none"];
const env = { ...process.env, BACKPRESSURE_GRPC_LISTEN: "127.0.0.1:0", BACKPRESSURE_WEB_LISTEN: "127.0.0.1:0" };

test.each<[readonly string[], RegExp, RegExp]>([
  [[], /^\{"level":30,.*"event":"serving"/m, /^\{"level":30,.*"event":"stopped"/m],
  [["--no-pretty"], /^\{"level":30,.*"event":"serving"/m, /^\{"level":30,.*"event":"stopped"/m],
  [["--pretty"], /^backpressure serves gRPC on /m, /^\d\d:\d\d:\d\d INFO {2}the server has ended$/m],
])("with the flags %j, where no terminal is", async (flags, greeting, end) => {
  await using server = startProgram([process.execPath, ...MAIN, ...flags], { env });
  await server.until(greeting);
  server.signal("SIGTERM");
  const { code, printed } = await server.ended;
  expect([code, printed]).toEqual([0, expect.stringMatching(end)]);
});
