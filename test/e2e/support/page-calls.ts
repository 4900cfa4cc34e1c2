/** What a browser sends for the server's own page, and what others could send in its place. */

import { once } from "node:events";
import { type IncomingMessage, request as send } from "node:http";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export type Headers = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** `NAME=VALUE` of the cookie that it sets, and all that it says of it. */
  readonly cookie: string | undefined;
  readonly setCookie: string | undefined;
}

const JSON_TYPE = { "content-type": "application/json" };
/** As the page has it that came from the port. */
export const OWN = { ...JSON_TYPE, "sec-fetch-site": "same-origin" };

export const GET_LIMITER = "/ggen.backpressure.v1.LimiterService/GetLimiter";

/** `undefined` for a body is a GET. Each goes over a connection of its own. */
export async function ask(url: string, path: string, headers: Headers, body?: object): Promise<Answer> {
  const request = send(`${url}${path}`, { method: body === undefined ? "GET" : "POST", headers, agent: false });
  request.end(body && JSON.stringify(body));
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  const [setCookie] = answer.headers["set-cookie"] ?? [];
  return { status: answer.statusCode ?? 0, text: await text(answer), cookie: setCookie?.split(";")[0], setCookie };
}

export const logIn = (url: string, token: string, headers: Headers = OWN) => ask(url, "/login", headers, { token });

/** Whether a call of the page is served: its status, and what `GET /login` says of it. */
export async function callWith(url: string, cookie: string, headers: Headers = OWN): Promise<number> {
  return (await ask(url, GET_LIMITER, { ...headers, cookie }, { name: "db" })).status;
}

/** Opens a watch as the page has it. Resolves with its text when it has ended. */
export async function watch(url: string, cookie: string): Promise<{ readonly ended: Promise<string> }> {
  const headers = { ...OWN, "content-type": "application/connect+json", cookie };
  const request = send(`${url}/ggen.backpressure.v1.LimiterService/WatchLimiters`, { method: "POST", headers });
  onTestFinished(() => void request.destroy());
  request.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from("{}")]));
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  let heard = "";
  answer.on("data", (piece) => {
    heard += piece;
  });
  await once(answer, "data");
  return { ended: once(answer, "end").then(() => heard) };
}
