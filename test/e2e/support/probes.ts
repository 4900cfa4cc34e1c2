/** Whether a setting of a server is in force, as one sees it from outside. */

import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { acquire, hold, queue } from "../../support/acquire.ts";
import { type CallFailure, Code, failureOf } from "../../support/call-failure.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { scrape } from "../../support/scrape.ts";
import { acquireOf, leaseOf, openSession } from "./session.ts";

/** Where it listens. */
export interface Probed {
  readonly address: string;
  readonly url: string;
}

/** ms: longer than any value of the tests, shorter than any default. */
const A_WHILE = 1_500;

async function withClient<T>({ address }: Probed, ask: (client: ContractClient) => Promise<T>): Promise<T> {
  await using client = createGrpcClient(address);
  return await ask(client);
}

/** Whether a page of this origin may call the web port with this header. */
export async function allowsPage({ url }: Probed, origin: string, header: string): Promise<boolean> {
  const { headers } = await fetch(`${url}/ggen.backpressure.v1.AdmissionService/TryAcquire`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": `content-type, ${header}`,
    },
  });
  const allowed = headers.get("access-control-allow-headers")?.toLowerCase().split(/, */) ?? [];
  return headers.get("access-control-allow-origin") === origin && allowed.includes(header);
}

/** Whether whatever asks for metrics by this name is answered. */
export async function knowsHost({ url }: Probed, host: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const request = get({ host: hostname, port, path: "/metrics", headers: { host } });
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode === 200;
}

/** Whether a request of some 2 kB is too large. */
export function refusesLargeMessages(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    const claims = Array.from({ length: 8 }, (_, index) => ({ limiter: "l".repeat(100), key: `${index}`.padEnd(200) }));
    const { code } = await failureOf(client.call(AdmissionService.method.tryAcquire, { claims }));
    return code === Code.ResourceExhausted;
  });
}

/** Whether headers of some 3 kB are too large. */
export async function refusesLargeHeaders({ url }: Probed): Promise<boolean> {
  const { status } = await fetch(url, { headers: { "x-large": "x".repeat(3_000) } });
  return status === 431;
}

/** Whether a second stream on one connection is one too many. */
export function refusesSecondStream(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    await hold(client, "db");
    const second = acquire(client, "other");
    const end = await Promise.race([second.ending, second.next("granted").then(() => undefined)]).catch(
      () => second.ending,
    );
    return end?.reason === "TOO_MANY_STREAMS";
  });
}

/** Whether a second connection to the web port is closed at once. */
export async function closesSecondConnection({ url }: Probed): Promise<boolean> {
  const sockets = [await opened(url), await opened(url)];
  const isClosed = await closesWithin(sockets[1] as Socket, A_WHILE);
  for (const socket of sockets) socket.destroy();
  return isClosed;
}

/** Whether a second waiter is one too many, for this reason. */
export function refusesSecondWaiter(server: Probed, reason = "QUEUE_FULL"): Promise<boolean> {
  return withClient(server, async (client) => {
    await hold(client, "db");
    await queue(client, "db");
    const second = acquire(client, "db");
    const end = await Promise.race([second.ending, second.next("waiting").then(() => undefined)]).catch(
      () => second.ending,
    );
    return end?.reason === reason;
  });
}

/** Whether a second lease of one caller is one too many. */
export function refusesSecondLease(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    await hold(client, "db");
    const other = client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "other" }] });
    return (await reasonOf(other)) === "CALLER_QUOTA";
  });
}

/** Whether one of three calls at one instant is one too many of its caller. */
export function refusesCallsAtOnce(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    const ask = () => reasonOf(client.call(LimiterService.method.listLimiters, {}));
    return (await Promise.all([ask(), ask(), ask()])).includes("CALLER_QUOTA");
  });
}

/** Whether one of two connections is one too many of its caller: the second, or the first while an earlier one is still closing. */
export function refusesSecondConnection(server: Probed): Promise<boolean> {
  const ask = (client: ContractClient) => reasonOf(client.call(LimiterService.method.listLimiters, {}));
  return withClient(server, async (first) => {
    const reasons = [await ask(first), await withClient(server, ask)];
    return reasons.includes("CALLER_QUOTA");
  });
}

/** Whether callers without a credential may not do this. */
export function refusesAnonymous(server: Probed, what: "acquire" | "observe a board"): Promise<boolean> {
  return withClient(server, async (client) => {
    const asked: Promise<unknown> =
      what === "acquire"
        ? client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] })
        : client.call(BoardService.method.getBoard, { name: "any" });
    return (await reasonOf(asked)) === "NOT_ALLOWED";
  });
}

/** Whether a second limiter made by RPC is one too many. */
export function refusesSecondLimiter(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    const make = (name: string) =>
      client.call(LimiterService.method.createLimiter, { limiter: { name, maxConcurrent: 1 } });
    await make("first");
    return (await reasonOf(make("second"))) === "TOO_MANY_LIMITERS";
  });
}

/** Whether a second board made by RPC is one too many. */
export function refusesSecondBoard(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    const make = (name: string) => client.call(BoardService.method.createBoard, { board: { name } });
    await make("first");
    return (await reasonOf(make("second"))) === "TOO_MANY_BOARDS";
  });
}

/** Whether a session may have one command without a last answer. */
export async function refusesSecondCommand({ address }: Probed): Promise<boolean> {
  const session = openSession(address);
  await session.open();
  leaseOf(await session.ask(acquireOf("db")));
  await session.waits(acquireOf("db"));
  const [id = 0n] = session.send(acquireOf("db"));
  const { answer } = await session.find(() => session.answers().find((one) => one.id === id));
  session.lose();
  return answer.case === "failed" && answer.value.code === Code.ResourceExhausted;
}

/** Why a call is refused; undefined: it is not. */
function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => undefined,
    ({ reason }: CallFailure) => reason,
  );
}

/** Whether an idle connection is pinged. */
export async function pings({ address }: Probed): Promise<boolean> {
  const session = connectHttp2(`http://${address}`);
  session.on("error", () => {});
  const pinged = new Promise<boolean>((resolve) => session.on("ping", () => resolve(true)));
  const isPinged = await Promise.race([pinged, sleep(A_WHILE, false)]);
  session.destroy();
  return isPinged;
}

/** Whether a connection is given up whose client answers no ping. */
export async function givesUpSilentConnection({ address }: Probed): Promise<boolean> {
  const socket = await opened(`http://${address}`);
  const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), emptySettings]));
  // The server's settings are acknowledged, its pings are not.
  socket.write(Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]));
  const isClosed = await closesWithin(socket, A_WHILE);
  socket.destroy();
  return isClosed;
}

/** Whether one that waits hears of it again and again. */
export function beats(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    await hold(client, "db");
    const waiting = await queue(client, "db");
    await sleep(A_WHILE);
    return waiting.kinds.length > 3;
  });
}

/** Whether there is no room for 2 MB of limiters in the data folder. */
export function isSoonFull(server: Probed): Promise<boolean> {
  return withClient(server, async (client) => {
    const made = Array.from({ length: 2_000 }, (_, index) => {
      const limiter = { name: `l-${index}`, maxConcurrent: 1, description: "x".repeat(1_000) };
      return client.call(LimiterService.method.createLimiter, { limiter }).then(
        () => true,
        () => false,
      );
    });
    return (await Promise.all(made)).includes(false);
  });
}

async function opened(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

function closesWithin(socket: Socket, ms: number): Promise<boolean> {
  socket.resume();
  const closed = new Promise<boolean>((resolve) => socket.once("close", () => resolve(true)));
  return Promise.race([closed, sleep(ms, false)]);
}

/** Whether metrics have a series with these labels. */
export async function hasSeries({ url }: Probed, labels: string): Promise<boolean> {
  const { text } = await scrape(url);
  return text.includes(`{${labels}}`);
}
