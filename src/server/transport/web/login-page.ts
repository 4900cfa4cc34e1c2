/**
 * Logins of pages: `POST /login` with `{"token":"…"}` answers with a cookie, `POST /logout` takes it back, and `GET /login` says who the
 * page's calls are made by.
 */

import type { Socket } from "node:net";
import type { Identity } from "../../access/authenticator.ts";
import type { Caller } from "../../access/caller.ts";
import { foreignPage, invalidRequest, unauthenticated } from "../../wire/error-wire.ts";
import type { CallerCheck } from "../rpc/caller-check.ts";
import type { WebRequest, WebResponse } from "./exchange.ts";
import { fitsCookie, loginCookie, loginOf, noCookie } from "./login-cookie.ts";
import { isOfOwnPage } from "./page-guard.ts";
import { refuseWebCall } from "./refuse.ts";

export interface LoginPage {
  isAskedFor(request: WebRequest): boolean;
  answer(request: WebRequest, response: WebResponse, from: LoginRequest): Promise<void>;
}

export interface LoginRequest {
  /** Undefined: its connection has gone. */
  readonly socket: Socket | undefined;
  identify(): Identity | Promise<Identity>;
}

/** Hears of logins; `caller`: its name. */
export type OnLogin = (
  told: ({ readonly event: "login" | "logout"; readonly caller: string } | { readonly event: "login-refused" }) & {
    /** Address and port. */
    readonly peer: string;
  },
) => void;

/** What the page is told of itself. */
interface Self {
  readonly caller: string;
  readonly kind: Caller["kind"];
  /** Whether it goes by a login, so that it can log out. */
  readonly byLogin: boolean;
  /** Whether callers are asked who they are, so that it could log in. */
  readonly asks: boolean;
}

const LOGIN = "/login";
const LOGOUT = "/logout";
const JSON_TYPE = /^application\/json(?:; ?charset=utf-?8)?$/i;
/** Bytes of a body: more than a token has. */
const MOST_BYTES = 16_384;
const HEAD = { "content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff" };

export function createLoginPage(callers: CallerCheck, onLogin: OnLogin): LoginPage {
  async function tellWho(request: WebRequest, response: WebResponse, { identify }: LoginRequest): Promise<void> {
    const caller = await identify();
    if (caller === undefined) refuseWebCall(request, response, unauthenticated());
    else say(response, { ...selfOf(caller), byLogin: loginOf(request) !== undefined && isByToken(caller) });
  }

  async function logIn(request: WebRequest, response: WebResponse, { socket }: LoginRequest): Promise<void> {
    const token = await tokenOf(request);
    if (socket === undefined) return;
    const loggedIn = token === undefined ? undefined : await callers.logIn(socket, token);
    const peer = peerOf(socket);
    if (loggedIn === undefined) {
      onLogin({ event: "login-refused", peer });
      refuseWebCall(request, response, unauthenticated());
      return;
    }
    const { caller, login } = loggedIn;
    if (!fitsCookie(login)) {
      refuseWebCall(request, response, tooLong());
      return;
    }
    onLogin({ event: "login", caller: caller.name, peer });
    response.setHeader("set-cookie", loginCookie(login));
    say(response, { ...selfOf(caller), byLogin: true });
  }

  async function logOut(request: WebRequest, response: WebResponse, { socket, identify }: LoginRequest): Promise<void> {
    const caller = loginOf(request) === undefined ? undefined : await identify();
    if (caller !== undefined && isByToken(caller) && socket !== undefined) {
      onLogin({ event: "logout", caller: caller.name, peer: peerOf(socket) });
    }
    response.setHeader("set-cookie", noCookie());
    response.writeHead(200, HEAD);
    response.end("{}");
  }

  function selfOf({ name, kind }: Caller): Omit<Self, "byLogin"> {
    return { caller: name, kind, asks: !callers.isOpen };
  }

  return {
    isAskedFor({ method, url = "" }) {
      const [path = ""] = url.split("?", 1);
      return path === LOGIN ? method === "GET" || method === "POST" : path === LOGOUT && method === "POST";
    },
    async answer(request, response, from) {
      // What goes wrong with either ends in "close".
      request.on("error", NOTHING);
      response.on("error", NOTHING);
      if (request.method === "GET") return tellWho(request, response, from);
      const isOwn = isOfOwnPage(request);
      const isLogout = request.url?.startsWith(LOGOUT);
      if (isOwn && !isLogout && JSON_TYPE.test(request.headers["content-type"] ?? ""))
        return logIn(request, response, from);
      request.resume();
      // Pages of other origins may call, some of them, and never log anybody in.
      if (!isOwn) return refuseWebCall(request, response, foreignPage(request.headers.origin));
      if (isLogout) return logOut(request, response, from);
      response.writeHead(415);
      response.end();
    },
  };
}

const NOTHING = () => {};

function isByToken({ kind }: Caller): boolean {
  return kind === "token" || kind === "jwt";
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

function say(response: WebResponse, self: Self): void {
  response.writeHead(200, HEAD);
  response.end(JSON.stringify(self));
}

function tooLong() {
  const description = "does not fit a cookie, which has room for some 3,000 characters; show one with fewer claims";
  return invalidRequest([{ field: "token", description, reason: "login.length" }]);
}

/** Undefined: the body is none that has a token. */
async function tokenOf(request: WebRequest): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes <= MOST_BYTES) pieces.push(piece);
    }
    const { token } = JSON.parse(Buffer.concat(pieces).toString("utf8")) as { readonly token?: unknown };
    return typeof token === "string" ? token.trim() : undefined;
  } catch {
    return undefined;
  }
}
