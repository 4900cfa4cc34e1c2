/** Clients in a process of their own that connect at one instant, over TLS: tells how many ms all of them took. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";

const [origin = "", caFile = "", count = ""] = process.argv.slice(2);
const ca = readFileSync(caFile, "latin1");
process.on("disconnect", () => process.exit());
process.on("message", async () => {
  const begun = performance.now();
  const sessions: ClientHttp2Session[] = [];
  let failed = 0;
  await Promise.all(
    Array.from({ length: Number(count) }, async () => {
      const session = connect(origin, { ca });
      sessions.push(session);
      session.on("error", () => {});
      try {
        await once(session, "remoteSettings");
      } catch {
        failed += 1;
      }
    }),
  );
  process.send?.({ took: performance.now() - begun, failed });
  for (const session of sessions) session.destroy();
});
process.send?.("ready");
