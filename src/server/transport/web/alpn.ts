/** HTTP/2 and HTTP/1.1 on one TLS port: the handshake tells them apart. */

import type { Server } from "node:http";
import type { Http2Server } from "node:http2";
import type { TLSSocket } from "node:tls";

/** Lets `http2` serve those connections of `http1`, a server of HTTPS, that have chosen HTTP/2. */
export function shareByAlpn(http1: Server, http2: Http2Server): void {
  const serveHttp1 = http1.listeners("secureConnection");
  http1.removeAllListeners("secureConnection");
  http1.on("secureConnection", (socket: TLSSocket) => {
    if (socket.alpnProtocol !== "h2") {
      for (const serve of serveHttp1) serve.call(http1, socket);
      return;
    }
    // Node's HTTP/1.1 sees to clients that end their side; its HTTP/2 leaves that to the socket.
    socket.allowHalfOpen = false;
    http2.emit("connection", socket);
  });
}
