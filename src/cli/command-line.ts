/** The command line as a whole: what every command shares, and how their answers and errors end the process. */

import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { COMMAND_GROUPS, type CommandEntry } from "./command-list.ts";
import { COMPLETE } from "./completion/scripts.ts";
import type { Handle, Work } from "./session/context.ts";
import { type CredentialFlags, useCredentials } from "./session/credentials.ts";
import {
  ADDRESS_VARIABLE,
  addressIsSet,
  BOARD_VARIABLE,
  CREDENTIAL_VARIABLES,
  credentialVariables,
  DEFAULT_BOARD,
  terminalIsDumb,
  variable,
} from "./session/environment.ts";
import { EXIT, EXIT_CODES_HELP } from "./session/exit-codes.ts";
import { failureOf, reportFailure } from "./session/failure.ts";
import { Interrupted } from "./session/signals.ts";
import { createTerminal } from "./session/terminal.ts";

const HELP = `
Examples:
  backpressure serve
  backpressure limiters set gpu --max-concurrent 4
  backpressure run gpu -- python train.py
  backpressure limiters watch

\`backpressure COMMAND --help\` says more of each.
${EXIT_CODES_HELP}`;

const DEFAULT_ADDRESS = "localhost:50051";

/** Does what the arguments say, and resolves with the exit code; never rejects. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const terminal = createTerminal({ stdout: process.stdout, stderr: process.stderr, dumb: terminalIsDumb() });
  const dashes = args.indexOf("--");
  const behindDashes = dashes === -1 ? undefined : args.slice(dashes + 1);
  let exitCode: number = EXIT.ok;

  const handle: Handle =
    <Arguments extends unknown[]>(work: Work<Arguments>) =>
    async (...given: [...Arguments, Command]) => {
      const command = given.at(-1) as Command;
      const { address, json = false, ...flags } = command.optsWithGlobals<GlobalFlags>();
      useCredentials(flags);
      const isAddressGiven = command.getOptionValueSourceWithGlobals("address") === "cli" || addressIsSet();
      exitCode = await work(
        { terminal, address, isAddressGiven, version: readVersion(), json, behindDashes },
        ...(given.slice(0, -1) as Arguments),
      );
    };

  if (args[0] === COMPLETE) {
    // For the shell's script: the terminal would show its tabs as something else.
    for (const line of await candidates(args.slice(1))) process.stdout.write(`${line}\n`);
    return EXIT.ok;
  }
  try {
    // As other programs have it: `help limiters` is `limiters --help`.
    const asked = args[0] === "help" ? [...args.slice(1), "--help"] : args;
    await createProgram(handle).parseAsync(asked, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = failureOf(error);
    // Without a command there is no error but the help that has been shown.
    const isSaid = error instanceof Interrupted || (error instanceof CommanderError && error.code === "commander.help");
    const json = (dashes === -1 ? args : args.slice(0, dashes)).includes("--json");
    if (isSaid) terminal.showStatus("");
    else reportFailure(failure, terminal, json);
    return failure.exitCode;
  }
}

/** What may stand at the cursor of a shell. */
async function candidates(args: readonly string[]): Promise<readonly string[]> {
  const { complete } = await import("./completion/complete.ts");
  const handle: Handle = () => async () => {};
  return complete(args, {
    program: createProgram(handle),
    load: async (command) => {
      const entry = COMMAND_GROUPS.flatMap(([, group]) => group).find(({ name }) => name === command.name());
      if (entry !== undefined) (await entry.load())(command, handle);
    },
    address: variable(ADDRESS_VARIABLE) ?? DEFAULT_ADDRESS,
    board: variable(BOARD_VARIABLE) ?? DEFAULT_BOARD,
    credentials: credentialVariables(),
  });
}

interface GlobalFlags extends CredentialFlags {
  readonly address: string;
  readonly json?: boolean;
}

/** The program, whose commands do what `handle` makes of their work. */
export function createProgram(handle: Handle): Command {
  const entries = new Map<string, CommandEntry>();
  const program = new Command("backpressure")
    .description("Rate and concurrency limits with one fair queue and leases.")
    .version(readVersion())
    .addOption(
      new Option("--address <host:port>", "the server's gRPC port; https://host[:port] for TLS")
        .env(ADDRESS_VARIABLE)
        .argParser((address: string) => address || DEFAULT_ADDRESS)
        .default(DEFAULT_ADDRESS),
    )
    .addOption(file("--ca-file <file>", "whom to trust as the server's authority, in PEM", CREDENTIAL_VARIABLES.caFile))
    .addOption(file("--cert-file <file>", "this client's certificate, in PEM", CREDENTIAL_VARIABLES.certFile))
    .addOption(file("--key-file <file>", "its private key, in PEM", CREDENTIAL_VARIABLES.keyFile))
    .addOption(
      file(
        "--server-name <name>",
        "the name that the server's certificate has to have",
        CREDENTIAL_VARIABLES.serverName,
      ),
    )
    .addOption(file("--token-file <file>", "a file with the token of this client", CREDENTIAL_VARIABLES.tokenFile))
    .addOption(new Option("--json", "answer, and fail, in JSON: protobuf's, a line each"))
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", HELP)
    .hook("preSubcommand", async (_, command) => {
      const entry = entries.get(command.name());
      if (entry !== undefined) (await entry.load())(command, handle);
    });
  for (const [heading, group] of COMMAND_GROUPS) {
    program.commandsGroup(heading);
    for (const entry of group) {
      entries.set(entry.name, entry);
      program.command(entry.name).description(entry.description);
    }
  }
  return program;
}

/** An empty text, as an empty variable, says nothing. */
function file(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(variable).argParser((value: string) => value || undefined);
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
