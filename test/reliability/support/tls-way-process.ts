/** A way in a process of its own, so that what it encrypts delays neither who floods nor who measures: see `tls-way.ts`. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { connect } from "node:tls";
import type { TlsWayOptions } from "./tls-way.ts";

const { port, ca } = JSON.parse(process.argv[2] ?? "") as TlsWayOptions;

async function listen(protocol: "h2" | "http/1.1"): Promise<number> {
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port, ca, servername: "localhost", ALPNProtocols: [protocol] });
    far.setNoDelay();
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => {});
      one.once("close", () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

process.on("disconnect", () => process.exit());
process.send?.({ http2: await listen("h2"), http1: await listen("http/1.1") });
