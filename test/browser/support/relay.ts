/** Stands before a server and writes down what it answers; without its measures against pages, where a control asks for that. */

import { once } from "node:events";
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Relay {
  readonly port: number;
  /** `METHOD PATH STATUS` of each answer, in order. */
  readonly answers: readonly string[];
}

/** What a server goes by that keeps pages of others away. */
const TELLING = /^(?:origin|sec-fetch-.*|host|upgrade|connection)$/;
const PERMISSION = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "content-type",
};

/**
 * `isOpen`: each request passes for one of the own page, and what it carries for JSON; any page may read the answer, and frame it. So a
 * server would do that does not look.
 */
export async function startRelay(url: string, { isOpen = false } = {}): Promise<Relay> {
  const answers: string[] = [];
  const relay = createServer((request, response) => {
    const note = (status: number) => answers.push(`${request.method} ${request.url?.split("?")[0]} ${status}`);
    if (isOpen && request.method === "OPTIONS") {
      response.writeHead(204, PERMISSION).end();
      note(204);
      return;
    }
    pass(request, response, url, isOpen, note);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  onTestFinished(() => {
    relay.closeAllConnections();
    relay.close();
  });
  return { port: (relay.address() as AddressInfo).port, answers };
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
  isOpen: boolean,
  note: (status: number) => void,
): void {
  const { method, headers } = request;
  const unsaid = Object.fromEntries(Object.entries(headers).filter(([name]) => !TELLING.test(name)));
  const own = { ...unsaid, "sec-fetch-site": "same-origin" };
  const passed = isOpen ? { ...own, ...(method === "POST" && { "content-type": "application/json" }) } : headers;
  const onward = forward(`${url}${request.url}`, { method, headers: passed }, (answer) => {
    const { "content-security-policy": policy, ...others } = answer.headers;
    note(answer.statusCode ?? 0);
    response.writeHead(answer.statusCode ?? 502, isOpen ? { ...others, ...PERMISSION } : answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}
