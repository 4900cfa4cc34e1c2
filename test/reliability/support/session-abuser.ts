/**
 * A client that abuses its session, in a process of its own, with the lowest priority: what others feel of it is the server's doing,
 * and not that of a core that all share. `node session-abuser.ts HOST:PORT flooder|non-reader`.
 */

import { connect } from "node:http2";
import { constants, setPriority } from "node:os";
import { create, toBinary } from "@bufbuild/protobuf";
import { SessionRequestSchema } from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import "../../support/end-with-parent.ts";

/** `flooder`: asks as fast as it is let, and reads all. `non-reader`: the same, and reads nothing. */
export type Abuse = "flooder" | "non-reader";

const [address = "", abuse] = process.argv.slice(2) as [string, Abuse];
/** So many commands in a message, as many as there may be. */
const COMMANDS = 1_000;
/** So many messages until ids come again: none of them has a command without an answer by then. */
const MESSAGES = 64;
const WINDOW = { flooder: 2 ** 30, "non-reader": 0 }[abuse];

function envelope(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

const open = envelope(toBinary(SessionRequestSchema, create(SessionRequestSchema, { open: { keepOnCancel: true } })));
const messages = Array.from({ length: MESSAGES }, (_, number) => {
  const commands = Array.from({ length: COMMANDS }, (_, index) => ({
    id: BigInt(number * COMMANDS + index),
    command: { case: "tryAcquire" as const, value: { claims: [{ limiter: "flooded" }] } },
  }));
  return envelope(toBinary(SessionRequestSchema, create(SessionRequestSchema, { commands })));
});

setPriority(constants.priority.PRIORITY_LOW);
const connection = connect(`http://${address}`, { settings: { initialWindowSize: WINDOW } });
connection.on("remoteSettings", () => connection.setLocalWindowSize(2 ** 30));
const stream = connection.request({
  ":method": "POST",
  ":path": "/ggen.backpressure.v1.SessionService/Session",
  "content-type": "application/grpc",
  te: "trailers",
});
stream.on("close", () => process.exit(1));
stream.on("data", () => {});
stream.write(open);
let next = 0;

/** Writes until the server takes no more for now. */
function ask(): void {
  let takes = true;
  while (takes) {
    takes = stream.write(messages[next]);
    next = (next + 1) % MESSAGES;
  }
}

stream.on("drain", ask);
ask();
process.send?.("at work");
