/** A connection to a server from an address of its own, which failures of others do not count for. */

import { once } from "node:events";
import { Agent, type IncomingMessage, request as requestByHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as requestByHttps, Agent as TlsAgent } from "node:https";
import { connect as dial, type Socket } from "node:net";
import { connect as dialTls } from "node:tls";
import type { Leaf } from "../../../support/certificates.ts";

export interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Whether more could follow the body, over HTTP/2. */
  readonly goesOn?: boolean;
}

export interface Answer {
  readonly status: number;
  /** Those at its end among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Line extends Disposable {
  /** `isEnough`: whether what has come so far is all that is waited for; the call is then left. */
  ask(request: Request, isEnough?: (body: Buffer) => boolean): Promise<Answer>;
}

export interface LineOptions {
  readonly port: number;
  readonly version: "1.1" | "2";
  /** Unset: plain text. */
  readonly tls?: { readonly ca: string; readonly client: Leaf | undefined } | undefined;
}

/** Enough of HTTP/1.1's at once. */
const SOCKETS = 4;
let lines = 0;

/** Another address of loopback each time. */
function nextAddress(): string {
  lines += 1;
  return `127.${1 + (lines >> 16)}.${(lines >> 8) & 255}.${lines & 255}`;
}

export async function openLine({ port, version, tls }: LineOptions): Promise<Line> {
  const from = { host: "127.0.0.1", port, localAddress: nextAddress() };
  const secure = tls && {
    ca: tls.ca,
    servername: "localhost",
    ...(tls.client && { cert: tls.client.cert, key: tls.client.key }),
  };
  return version === "2" ? openHttp2(from, secure) : openHttp1(from, secure);
}

interface From {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
}

type Secure =
  | { readonly ca: string; readonly servername: string; readonly cert?: string; readonly key?: string }
  | undefined;

async function openHttp2(from: From, secure: Secure): Promise<Line> {
  const socket: Socket = secure ? dialTls({ ...from, ...secure, ALPNProtocols: ["h2"] }) : dial(from);
  const session = connectHttp2(`${secure ? "https" : "http"}://localhost:${from.port}`, {
    createConnection: () => socket,
  });
  await once(session, "connect");
  session.on("error", () => {});
  return {
    async ask({ method, path, headers, body, goesOn = false }, isEnough = () => false) {
      const stream = session.request(
        { ":method": method, ":path": path, ...headers },
        { endStream: body === undefined },
      );
      if (goesOn) stream.write(body);
      else if (body !== undefined) stream.end(body);
      const fields: Record<string, string> = {};
      const take = (more: object) => void Object.assign(fields, more);
      stream.on("response", take);
      stream.on("trailers", take);
      const read = await readAll(stream, isEnough, () => stream.close());
      return { status: Number(fields[":status"]), headers: fields, body: read };
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

function openHttp1(from: From, secure: Secure): Line {
  const shape = { keepAlive: true, maxSockets: SOCKETS };
  const agent = secure ? new TlsAgent({ ...shape, ...secure, ALPNProtocols: ["http/1.1"] }) : new Agent(shape);
  return {
    async ask({ method, path, headers, body }, isEnough = () => false) {
      const request = (secure ? requestByHttps : requestByHttp)({ ...from, method, path, headers, agent });
      request.on("error", () => {});
      request.end(body);
      const [response] = (await once(request, "response")) as [IncomingMessage];
      const read = await readAll(response, isEnough, () => request.destroy());
      const fields = { ...response.headers, ...response.trailers } as Record<string, string>;
      return { status: response.statusCode ?? 0, headers: fields, body: read };
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function readAll(
  stream: NodeJS.ReadableStream,
  isEnough: (body: Buffer) => boolean,
  leave: () => void,
): Promise<Buffer> {
  return new Promise((resolve) => {
    let body = Buffer.alloc(0);
    const end = () => resolve(body);
    stream.on("data", (chunk: Buffer) => {
      body = Buffer.concat([body, chunk]);
      if (!isEnough(body)) return;
      end();
      leave();
    });
    stream.on("error", end);
    stream.on("close", end);
  });
}
