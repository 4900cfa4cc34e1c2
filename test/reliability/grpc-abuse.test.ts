import { once } from "node:events";
import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { describe, expect, test } from "vitest";
import { REQUEST_TIMEOUT } from "../../src/server/transport/http2/request-guard.ts";
import { connectHttp2, openGrpcCall } from "../server/transport/support/http2-client.ts";
import { connectRaw, dataFrame, END_STREAM, headersFrame } from "../server/transport/support/http2-frames.ts";
import { ABUSES, type Abuse, type Answer, NEVER_ENDING, TRY_ACQUIRE } from "./support/abuse.ts";
import { BYSTANDER_LIMITER, startBystander } from "./support/bystander.ts";
import { openRecord } from "./support/record.ts";
import { startStock } from "./support/stock.ts";
import { startSubject } from "./support/subject.ts";

const record = openRecord("grpc-abuse");

const YAML = `
limiters:
  - ${BYSTANDER_LIMITER}
  - { name: db, max_concurrent: 1000, ttl: 1s }
logging: { level: error }`;

/** Streams that are left open on purpose, on one connection. */
const STUCK = 100;

/** What comes of one call, on a connection of its own; "open": nothing, and the stream is still there. */
async function abuse(port: number, { headers = {}, without = [], body, trailers }: Abuse): Promise<Answer | "open"> {
  const fields: Record<string, string> = {
    ":method": "POST",
    ":scheme": "http",
    ":path": TRY_ACQUIRE,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...(headers as Record<string, string>),
  };
  for (const name of without) delete fields[name];
  if (without.some((name) => name.startsWith(":"))) return abuseRaw(port, fields, body);
  const session = connectHttp2(`127.0.0.1:${port}`);
  const stream = session.request(fields, trailers ? { waitForTrailers: true } : {});
  if (trailers) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end(body);
  const seen = answerOf(stream);
  const answer = await seen;
  session.destroy();
  return answer;
}

/** A request that no library lets through. */
async function abuseRaw(
  port: number,
  fields: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<Answer | "open"> {
  const { socket, seen } = await connectRaw(port);
  await seen();
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(Buffer.concat([headersFrame(1, fields), dataFrame(1, body, END_STREAM)]));
  const RESET = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1]);
  for (;;) {
    await Promise.race([once(socket, "data"), once(socket, "close")]);
    const bytes = Buffer.concat(chunks);
    const at = bytes.indexOf(RESET);
    if (at >= 0) return { reset: bytes.readUInt32BE(at + RESET.length) };
    if (socket.destroyed) return "open";
  }
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer | "open"> {
  let fields: IncomingHttpHeaders = {};
  const take = (headers: IncomingHttpHeaders) => {
    fields = { ...headers, ...fields };
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("error", () => {});
  stream.resume();
  if (!stream.destroyed) await new Promise((resolve) => stream.once("close", resolve));
  if (fields["grpc-status"] !== undefined) return { grpc: Number(fields["grpc-status"]) };
  if (fields[":status"] !== undefined) return { http: Number(fields[":status"]) };
  return { reset: stream.rstCode ?? 0 };
}

describe.each([
  ["gRPC", "grpc"],
  ["web", "web"],
] as const)("on the %s port", (name, which) => {
  test(`${ABUSES.length} abuses get their answers, their streams are closed, and the server lives`, async () => {
    await using subject = await startSubject(YAML);
    const port = subject.ports[which];
    using bystander = await startBystander(which === "grpc" ? subject.server.address : subject.server.url);
    const seen: object[] = [];
    const wanted: object[] = [];
    for (const each of ABUSES) {
      seen.push({ abuse: each.name, answer: await abuse(port, each) });
      wanted.push({ abuse: each.name, answer: (which === "web" ? each.webAnswer : undefined) ?? each.answer });
    }
    expect(seen).toEqual(wanted);
    const { failures, worst } = await bystander.take();
    expect({ alive: subject.isAlive(), faults: subject.faults, failures }).toEqual({
      alive: true,
      faults: [],
      failures: [],
    });
    record({ figure: `${name}: abuses with their right answer`, value: seen.length, unit: `of ${ABUSES.length}` });
    record({ figure: `${name}: worst pair of calls meanwhile`, value: worst, unit: "ms" });
  }, 60_000);
});

test(`0 of ${STUCK} streams whose request never ends are left open on either port; control: a stock server leaves them`, async () => {
  await using subject = await startSubject(YAML);
  await using stock = await startStock("connect-node");
  const ports = { gRPC: subject.ports.grpc, web: subject.ports.web, control: stock.port };
  const open = (port: number) => {
    const session = connectHttp2(`127.0.0.1:${port}`);
    return Array.from({ length: STUCK }, (_, i) => {
      const stream = openGrpcCall(session, TRY_ACQUIRE);
      const beginning = NEVER_ENDING[i % NEVER_ENDING.length];
      if (beginning) stream.write(beginning);
      stream.resume();
      return stream;
    });
  };
  const streams = { gRPC: open(ports.gRPC), web: open(ports.web), control: open(ports.control) };
  const begun = performance.now();
  const ours = [...streams.gRPC, ...streams.web];
  await Promise.all(ours.map((stream) => stream.destroyed || new Promise((resolve) => stream.once("close", resolve))));
  const took = performance.now() - begun;
  const isLeft = (stream: ClientHttp2Stream) => !stream.destroyed;
  const left = streams.control.filter(isLeft).length;
  record({
    figure: "streams left open whose request never ends",
    value: ours.filter(isLeft).length,
    unit: `of ${ours.length}`,
    control: `a stock connect-node server: ${left} of ${STUCK}`,
  });
  record({ figure: "such streams: the last one was closed after", value: took, unit: "ms" });
  expect(took).toBeLessThan(REQUEST_TIMEOUT / 1000 + 5_000);
  expect(left).toBeGreaterThan(STUCK / 2);
  expect(subject.isAlive()).toBe(true);
}, 60_000);
