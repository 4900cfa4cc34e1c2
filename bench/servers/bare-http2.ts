/** The least that Node can do: node:http2 alone, which answers each call of a path with the same bytes, as gRPC frames them. */

import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

const PREFIX = 5;
const answers = new Map(
  (JSON.parse(process.argv[2] as string) as [string, string][]).map(([path, base64]) => [path, framed(base64)]),
);

function framed(base64: string): Buffer {
  const bytes = Buffer.from(base64, "base64");
  const head = Buffer.alloc(PREFIX);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

// As many cancels as the real server lets a connection send.
const server = createServer({ streamResetBurst: 4_000, streamResetRate: 1_000 });
server.on("stream", (stream: ServerHttp2Stream, headers) => {
  const path = headers[":path"] ?? "";
  const answer = answers.get(path);
  stream.on("error", () => {});
  stream.resume();
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  // An Acquire keeps its stream open after its grant.
  if (path.endsWith("/Acquire")) stream.write(answer);
  else stream.on("end", () => stream.end(answer));
});
server.listen(0, "127.0.0.1", () => {
  process.send?.(`127.0.0.1:${(server.address() as AddressInfo).port}`);
});
