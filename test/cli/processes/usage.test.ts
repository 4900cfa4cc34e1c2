import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cli } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";

const COMMANDS = [
  "run",
  "acquire",
  "try",
  "board",
  "top",
  "explain",
  "limiters",
  "leases",
  "waiters",
  "revoke",
  "cancel",
  "serve",
  "check",
  "diff",
  "doctor",
  "health",
  "completion",
];

describe("backpressure", () => {
  it("tells its version, that of the package", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
    expect(await cli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("shows in its help every command, the exit codes and where the address comes from", async () => {
    const { code, stdout } = await cli(["--help"], { address: "db.internal:50051" });
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toMatch(/^Exit codes:\n {2}0 /m);
    expect(stdout).toContain("BACKPRESSURE_ADDRESS");
  });

  it.each([
    ["run"],
    ["acquire"],
    ["try"],
    ["leases"],
    ["revoke"],
    ["top"],
    ["explain"],
    ["serve"],
    ["check"],
    ["diff"],
    ["health"],
    ["doctor"],
    ["completion"],
    ["limiters set"],
    ["board"],
    ["board pull"],
  ])("shows examples in the help of %s", async (command) => {
    const { code, stdout } = await cli([...command.split(" "), "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: backpressure ${command}`);
    expect(stdout).toContain("Examples:\n  backpressure ");
    expect(stdout).toMatch(/^Global Options:\n.* --address .* --json /ms);
  });

  it("shows the help of a command however it is asked for", async () => {
    expect(await cli(["help", "limiters", "watch"])).toEqual(await cli(["limiters", "watch", "--help"]));
  });

  it("shows its help and fails when nothing is asked of it", async () => {
    const { code, stdout, stderr } = await cli([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: backpressure");
    expect(stderr).not.toContain("(outputHelp)");
  });
});

describe("a wrong command line", () => {
  it.each([
    [["limitrs"], "backpressure: unknown command 'limitrs'\n(Did you mean limiters?)\n"],
    [["leases", "--limitr", "gpu"], "backpressure: unknown option '--limitr'\n(Did you mean --limiter?)\n"],
    [
      ["limiters", "lst"],
      "backpressure: unknown command 'lst' of limiters: there are list, watch, get, set, pause, resume, delete\n",
    ],
    [["acquire"], "backpressure: missing required argument 'limiter'\n"],
    [
      ["acquire", "gpu", "--max-wait", "10"],
      `backpressure: option '--max-wait <duration>' argument '10' is invalid. expected a duration, such as 250ms, 10s or 1m30s, found "10": write 10s, or 10ms\n`,
    ],
    [
      ["try", "gpu", "--permits", "-1"],
      "backpressure: option '--permits <n>' argument '-1' is invalid. expected a whole number, 0 to 4294967295\n",
    ],
    [["limiters", "set", "gpu"], "backpressure: say what to set, such as --max-concurrent 5\n"],
    [["limiters", "set", "gpu", "--ttl", "5s", "--unset", "ttl"], "backpressure: --ttl is both set and unset\n"],
    [
      ["limiters", "set", "gpu", "--max-rps", "0"],
      "backpressure: option '--max-rps <n>' argument '0' is invalid. expected a number above 0, tokens a second; an amount per period is --rate 10/m\n",
    ],
    [["leases", "--key", "a"], "backpressure: --key needs --limiter: keys are a limiter's own\n"],
    [
      ["--address", "nowhere", "limiters"],
      'backpressure: cannot connect to "nowhere": it names no port; write it as "localhost:50051", "http://10.0.0.7:50051" or "https://backpressure.example.com"\n',
    ],
  ])("exits with 2 and says what is wrong: %j", async (args, stderr) => {
    expect(await cli(args)).toEqual({ code: 2, stdout: "", stderr });
  });

  it("is reported in JSON where that was asked for", async () => {
    const { code, stderr } = await cli(["limitrs", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toEqual({
      error: { reason: "USAGE", message: "unknown command 'limitrs'\n(Did you mean limiters?)" },
    });
  });
});

describe("without a server", () => {
  it.each([["limiters"], ["try gpu"], ["health"], ["limiters watch"]])(
    "%s says where none was found, and what to do, and exits with 3",
    async (command) => {
      const address = await closedPort();
      expect(await cli(command.split(" "), { address })).toEqual({
        code: 3,
        stdout: "",
        stderr: `backpressure: cannot reach ${address}: connection refused. Is the server running? Start one with \`backpressure serve\`, or name another with --address.\n`,
      });
    },
  );

  it("a flag names the server rather than the environment, and a script reads JSON", async () => {
    const address = await closedPort();
    const { code, stderr } = await cli(["--address", address, "leases", "--json"], { address: "127.0.0.1:1" });
    expect(code).toBe(3);
    const { error } = JSON.parse(stderr);
    expect(error.reason).toBe("SERVER_UNAVAILABLE");
    expect(error.message).toContain(address);
  });
});
