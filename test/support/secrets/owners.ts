/** Which programs answer those who own what they print, and which are not searched at all. */

/** Commands of the command line whose standard output is for the one who has typed them, with what it is that they show. */
const COMMANDS = ["token", "acquire"];
/** Clients of others that print each answer as it comes. */
const CLIENTS = ["grpcurl", "buf", "curl"];
/** What types a line of commands for a person. */
const SHELLS = ["sh", "bash"];

/** Whether what a command line writes to standard output is an answer to its owner. */
export function isAnswer(args: readonly string[]): boolean {
  const [file = "", ...words] = args;
  const program = file.slice(file.lastIndexOf("/") + 1);
  if (CLIENTS.includes(program)) return true;
  if (SHELLS.includes(program)) return words.some((line) => /(^|\s)(grpcurl|curl)\s/.test(line));
  const main = words.findIndex((word) => word.endsWith("/cli/main.ts") || word.endsWith("/cli/main.js"));
  return main !== -1 && COMMANDS.some((command) => words.includes(command, main));
}

/** Whether it runs tests, into whose sources a bug was put: what fails there shows what it has compared, to the test that has started it. */
export function isTestRun(args: readonly string[]): boolean {
  return args.some((word) => word.endsWith("/vitest.mjs"));
}
