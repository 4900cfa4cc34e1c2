/** `backpressure audit`: whether an audit file is whole. */

import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";

const HELP = `
Each line of an audit file has the SHA-256 of the line before it. A line that was changed, taken out or put in is named, with what is
wrong about it. Lines that were cut off at the end leave a file that is whole: compare what is printed of the last line with what was
kept of it elsewhere.

Exits with 0 if the file is whole, 1 if it is not, and 2 if it cannot be read.

Examples:
  backpressure audit verify audit.jsonl
  backpressure --json audit verify audit.jsonl`;

export const defineAudit: DefineCommand = (command, handle) => {
  command.helpCommand(false).addHelpText("after", HELP);
  command
    .command("verify")
    .description("say whether an audit file is as it was written")
    .argument("<file>", "the audit file")
    .action(handle(verify));
};

async function verify({ terminal, json }: Context, path: string): Promise<number> {
  const { verifyAuditFile } = await import("../../server/audit/verify.ts");
  const verdict = await verifyAuditFile(path).catch((error: Error) => {
    throw new UsageError(`the file cannot be read: ${error.message}`);
  });
  if (json) {
    terminal.print(JSON.stringify(verdict));
  } else if (verdict.kind === "broken") {
    terminal.print(`${path}:${verdict.line}: ${verdict.why}`);
  } else {
    const { first, lines, end, follows } = verdict;
    if (first > 1) terminal.print(`${path} goes on behind line ${first - 1} of the chain, whose SHA-256 is ${follows}`);
    terminal.print(
      `${path} is whole: ${lines} lines; the last is line ${end.seq} of the chain, its SHA-256 is ${end.digest}`,
    );
  }
  return verdict.kind === "whole" ? EXIT.ok : EXIT.refused;
}
