/** A client's certificate that runs out while it is connected. */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, it, onTestFinished } from "vitest";
import { type Clock, createSystemClock } from "../../../src/server/clock.ts";
import { AcquireRequestSchema } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { Redacted } from "../../../src/server/redacted.ts";
import { createAuthority } from "../../support/certificates.ts";
import { createHeldService } from "./support/held-service.ts";
import { envelope, openGrpcCall } from "./support/http2-client.ts";
import { startGrpc } from "./support/ports.ts";

const ACQUIRE = "/ggen.backpressure.v1.AdmissionService/Acquire";

const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "l" }] })));

/** A system clock whose wall clock, and whose long waits, the test turns. */
function turnedClock(): Clock & { turnTo(ms: number): void } {
  const clock = createSystemClock();
  let offset = 0;
  const waits = new Set<{ readonly at: number; readonly callback: () => void }>();
  const shifted = () => clock.now() + offset * 1000;
  return {
    now: shifted,
    wallTime: (micros) => clock.wallTime(micros - offset * 1000) + offset,
    schedule(at, precise, callback) {
      // The certificate's end is minutes away; all else is of the connection.
      if (at - shifted() < 20_000_000) return clock.schedule(at - offset * 1000, precise, callback);
      const wait = { at, callback };
      waits.add(wait);
      return () => waits.delete(wait);
    },
    turnTo(ms) {
      offset += ms - clock.wallTime(clock.now()) - offset;
      for (const wait of [...waits]) {
        if (wait.at > shifted() || !waits.delete(wait)) continue;
        wait.callback();
      }
    },
  };
}

it("is sent away at its end, and its streams are lost a minute later", async () => {
  const authority = await createAuthority();
  const [server, client] = [await authority.issue(), await authority.issue({ subject: "CN=client" })];
  const clock = turnedClock();
  const { service, acquires } = createHeldService();
  const tls = {
    cert: server.cert,
    key: new Redacted(server.key),
    clientCa: authority.cert,
    clientCrl: undefined,
    generation: 1,
  };
  const { port } = await startGrpc([service], { clock, tls });
  const session = connectHttp2(`https://localhost:${port}`, { ca: authority.cert, cert: client.cert, key: client.key });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  const stream = openGrpcCall(session, ACQUIRE);
  stream.end(REQUEST);
  const held = await acquires.next();
  const notAfter = Date.parse(new X509Certificate(client.cert).validTo);

  clock.turnTo(notAfter - 1_000);
  await new Promise((resolve) => session.ping(resolve));
  expect(session.closed).toBe(false);
  const goaway = once(session, "goaway");
  clock.turnTo(notAfter + 100);
  await goaway;
  expect(stream.destroyed).toBe(false);
  clock.turnTo(notAfter + 61_000);
  expect(await held.ended).toBe("lost");
});

it("is not looked at without client certificates", async () => {
  const authority = await createAuthority();
  const server = await authority.issue();
  const clock = turnedClock();
  const { service, acquires } = createHeldService();
  const tls = {
    cert: server.cert,
    key: new Redacted(server.key),
    clientCa: undefined,
    clientCrl: undefined,
    generation: 1,
  };
  const { port } = await startGrpc([service], { clock, tls });
  const session = connectHttp2(`https://localhost:${port}`, { ca: authority.cert });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  openGrpcCall(session, ACQUIRE).end(REQUEST);
  await acquires.next();
  clock.turnTo(Date.now() + 86_400_000);
  await new Promise((resolve) => session.ping(resolve));
  expect(session.closed).toBe(false);
});
