/** The load generator's command line says which option is wrong, and what it may be. */

import { expect, test } from "vitest";
import { readCommand } from "../../bench/load/command.ts";

test("an address is enough", () => {
  expect(readCommand(["--address", "127.0.0.1:50051"])).toMatchObject({
    kind: "command",
    command: { verb: "pair", loop: { kind: "closed", inFlight: 64 }, duration: 10_000, warmUp: 1_000 },
  });
});

test.each([
  [["--address", "here"], "--address here: HOST:PORT, as in 127.0.0.1:50051"],
  [[], "--address is missing: HOST:PORT, as in 127.0.0.1:50051"],
  [["--address", "a:1", "--verb", "foo"], "--verb foo: one of try, pair, acquire, session, ratelimit, gubernator"],
  [["--address", "a:1", "--clients", "1.5"], "--clients 1.5: a whole number from 1 to 1000"],
  [
    ["--address", "a:1", "--rate", "5", "--in-flight", "5"],
    "--rate is an open loop and --in-flight a closed one: give one of them",
  ],
  [["--address", "a:1", "--rate", "0"], "--rate 0: a number from 0.1 to 1000000"],
])("%j", (args, problem) => {
  expect(readCommand(args)).toEqual({ kind: "wrong", problems: [problem] });
});
