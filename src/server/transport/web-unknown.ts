/** Requests for what is not served: short answers that the asker's protocol understands. */

import { Code } from "@connectrpc/connect";
import type { RpcService } from "../service/rpc.ts";
import { readGrpcType } from "./grpc-type.ts";
import type { WebRequest, WebResponse } from "./web-exchange.ts";

export function answerUnknown(request: WebRequest, response: WebResponse, services: readonly RpcService[]): void {
  const type = readGrpcType(request.headers["content-type"]);
  if (type !== undefined) {
    // A gRPC client reads a status, not a page.
    response.writeHead(200, {
      "content-type": `application/${type.protocol}`,
      "grpc-status": String(Code.Unimplemented),
      "grpc-message": "no such method is served here",
    });
    response.end();
  } else if (request.url === "/" && (request.method === "GET" || request.method === "HEAD")) {
    answerText(response, 200, aboutText(services));
  } else {
    answerText(response, 404, "Nothing is served at this path; GET / says what is.\n");
  }
}

function answerText(response: WebResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}

function aboutText(services: readonly RpcService[]): string {
  return [
    "This is a port of ggen-backpressure: Connect, gRPC-Web and gRPC, over HTTP/1.1 and HTTP/2.",
    "",
    ...services.map(({ descriptor }) => `POST /${descriptor.typeName}/<method>`),
    "",
  ].join("\n");
}
