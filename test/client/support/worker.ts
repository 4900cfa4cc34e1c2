/**
 * A worker that pulls a card, says so on a line, and never ends its work: `node worker.ts host:port board stage`. It is
 * there to be killed.
 */

import { connect } from "../../support/connect.ts";

const [address = "", board = "", stage = ""] = process.argv.slice(2);
const work = await connect(address)
  .board(board)
  .pull(stage, { worker: `process ${process.pid}` });
process.stdout.write(`${JSON.stringify({ cardId: work.card.id, fencingToken: String(work.fencingToken) })}\n`);
