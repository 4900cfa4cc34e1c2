/** Requests for what is not served: short answers that the asker's protocol understands. */

import { Code } from "@connectrpc/connect";
import type { RpcService } from "../../service/rpc.ts";
import type { RefusedCall } from "../rpc/dispatch.ts";
import { readGrpcType } from "../rpc/grpc-type.ts";
import type { WebRequest, WebResponse } from "./exchange.ts";

/** Returns why it is refused; undefined: it asked what is served here. */
export function answerUnknown(
  request: WebRequest,
  response: WebResponse,
  services: readonly RpcService[],
): RefusedCall | undefined {
  const type = readGrpcType(request.headers["content-type"]);
  if (type !== undefined) {
    // A gRPC client reads a status, not a page.
    response.writeHead(200, {
      "content-type": `application/${type.protocol}`,
      "grpc-status": String(Code.Unimplemented),
      "grpc-message": NO_METHOD,
    });
    response.end();
    return { code: Code.Unimplemented, status: 200, message: NO_METHOD };
  }
  if (request.url === "/" && (request.method === "GET" || request.method === "HEAD")) {
    answerText(response, 200, aboutText(services));
    return undefined;
  }
  answerText(response, 404, `${NOTHING_HERE}\n`);
  // Which is what Connect makes of a 404.
  const code = isConnectCall(request) ? Code.Unimplemented : undefined;
  return { code, status: 404, message: NOTHING_HERE };
}

function isConnectCall({ method, headers }: WebRequest): boolean {
  return method === "POST" && /^application\/(connect\+)?(json|proto)\b/.test(headers["content-type"] ?? "");
}

const NO_METHOD = "no such method is served here";
const NOTHING_HERE = "Nothing is served at this path; GET / says what is.";

function answerText(response: WebResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}

function aboutText(services: readonly RpcService[]): string {
  return [
    "This is a port of ggen-backpressure: Connect, gRPC-Web and gRPC, over HTTP/1.1 and HTTP/2.",
    "Its dashboard was not built: `npm start` builds and serves it here.",
    "",
    ...services.map(({ descriptor }) => `POST /${descriptor.typeName}/<method>`),
    "",
  ].join("\n");
}
