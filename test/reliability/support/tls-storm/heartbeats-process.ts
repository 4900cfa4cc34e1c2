/**
 * A waiter in a process of its own, over TLS: asked with "take", it tells by how many ms the latest heartbeat was late at most since
 * the last time.
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { AcquireRequestSchema } from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";

const [origin = "", caFile = "", heartbeat = ""] = process.argv.slice(2);
const session = connect(origin, { ca: readFileSync(caFile, "latin1") });
const stream = session.request({
  ":method": "POST",
  ":path": "/ggen.backpressure.v1.AdmissionService/Acquire",
  "content-type": "application/grpc",
  te: "trailers",
});
const message = toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "db" }] }));
const envelope = Buffer.alloc(5);
envelope.writeUInt32BE(message.length, 1);
stream.end(Buffer.concat([envelope, message]));

let latest: number | undefined;
let worst = 0;
let beats = 0;
stream.on("data", () => {
  const now = performance.now();
  if (latest !== undefined) worst = Math.max(worst, now - latest - Number(heartbeat));
  latest = now;
  beats += 1;
});
stream.on("close", () => process.exit(1));
process.on("message", () => {
  process.send?.({ worst, beats });
  worst = 0;
  beats = 0;
});
process.on("disconnect", () => process.exit());
await once(stream, "data");
process.send?.("ready");
