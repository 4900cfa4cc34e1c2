/** The cookie by which a browser keeps a login: no script reads it, and no page of others has it count. */

import type { WebRequest } from "./exchange.ts";
import { isOfOwnPage } from "./page-guard.ts";

/** `__Host-`: a browser takes it from the host itself alone, by HTTPS or on its own machine. */
const NAME = "__Host-backpressure";
const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict";
/** Characters of name and value together that every browser keeps. */
const MOST = 4_096;

/** Returns the login that counts for a request; undefined: it has none, or is not of the own page. */
export function loginOf(request: WebRequest): string | undefined {
  const { cookie } = request.headers;
  if (cookie === undefined || !isOfOwnPage(request)) return undefined;
  const own = cookie.split("; ").find((each) => each.startsWith(`${NAME}=`));
  return own?.slice(NAME.length + 1);
}

export function fitsCookie(login: string): boolean {
  return NAME.length + login.length <= MOST;
}

/** Gone with the browser's session, or when the server says so. */
export function loginCookie(login: string): string {
  return `${NAME}=${login}; ${ATTRIBUTES}`;
}

export function noCookie(): string {
  return `${NAME}=; Max-Age=0; ${ATTRIBUTES}`;
}
