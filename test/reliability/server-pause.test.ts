import { once } from "node:events";
import { expect, test } from "vitest";
import { connectRaw, frame } from "../server/transport/support/http2-frames.ts";
import { startSubject } from "./support/subject.ts";

/** ms. */
const TIMEOUT = 300;
const PAUSE = 3 * TIMEOUT;
const YAML = `liveness: { keepalive_time: 200ms, keepalive_timeout: ${TIMEOUT}ms }\n`;
const PING = 6;
const HEAD = 9;

test.each(["grpc", "web"] as const)(
  "%s: a server that was stopped reads the answer to its ping before it gives the connection up",
  async (which) => {
    await using subject = await startSubject(YAML);
    const { socket, seen } = await connectRaw(subject.ports[which]);
    await seen();
    // By the second ping it is known that the first was answered.
    for (let pings = 0; pings < 3; pings += 1) {
      let payload: Buffer | undefined;
      while (payload === undefined) {
        const [chunk] = (await once(socket, "data")) as [Buffer];
        if (chunk[3] === PING && chunk[4] === 0) payload = chunk.subarray(HEAD, HEAD + 8);
      }
      if (pings === 1) subject.server.signal("SIGSTOP");
      socket.write(frame(PING, 1, 0, payload));
      if (pings !== 1) continue;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      subject.server.signal("SIGCONT");
    }
    expect(socket.destroyed).toBe(false);
  },
);
