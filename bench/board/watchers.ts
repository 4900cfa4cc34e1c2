/** Watchers of a board: one that reads its messages, and one that never does. */

import { connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { pathOf } from "../../test/support/grpc-client.ts";
import { BOARD } from "./load.ts";

const method = BoardService.method.watchBoard;
const REQUEST = toBinary(method.input, create(method.input, { name: BOARD }));

/** A watcher that reads. */
export function watch(address: string): Disposable {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const stream = client.makeServerStreamRequest(
    pathOf(method),
    () => Buffer.from(REQUEST),
    (bytes) => fromBinary(method.output, bytes),
    undefined,
  );
  stream.on("data", () => {}).on("error", () => {});
  return {
    [Symbol.dispose]() {
      stream.cancel();
      client.close();
    },
  };
}

/** A watcher that opens the stream and never reads it; the connection lives, and answers pings. */
export function watchUnread(address: string): Disposable {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": pathOf(method),
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const head = Buffer.alloc(5);
  head.writeUInt32BE(REQUEST.byteLength, 1);
  stream.end(Buffer.concat([head, REQUEST]));
  return { [Symbol.dispose]: () => session.destroy() };
}
