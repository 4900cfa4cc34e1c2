/** `backpressure token`: makes a token for a client, and the entry by which the server knows it. */

import { createHash, randomBytes } from "node:crypto";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";

const NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/;
const SECRET_BYTES = 32;

const HELP = `
It asks no server. The token goes to standard output, and is kept nowhere; the entry, which has its SHA-256 alone, goes to
standard error: put it into the server's file under auth, tokens. A client shows the token with --token-file.

Examples:
  backpressure token ci > ci.token
  backpressure --token-file ci.token --address https://backpressure.example.com:50051 limiters list`;

export const defineToken: DefineCommand = (command, handle) => {
  command
    .argument("<name>", "whose token it is: its caller is token:NAME")
    .addHelpText("after", HELP)
    .action(handle(makeToken));
};

async function makeToken({ terminal, json }: Context, name: string): Promise<number> {
  if (!NAME.test(name)) {
    throw new UsageError(
      `a token's name has letters in lower case, digits, "-" and ".", at most 63: ${JSON.stringify(name)}`,
    );
  }
  const token = `bp_${name}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
  const sha256 = createHash("sha256").update(token).digest("hex");
  if (json) {
    terminal.print(JSON.stringify({ token, entry: { name, sha256: [sha256] } }));
    return EXIT.ok;
  }
  terminal.print(token);
  terminal.warn("# The token is shown this once. The server's file:");
  for (const line of [
    "auth:",
    "  tokens:",
    `    - { name: ${JSON.stringify(name)}, sha256: [${JSON.stringify(sha256)}] }`,
  ])
    terminal.warn(line);
  return EXIT.ok;
}
