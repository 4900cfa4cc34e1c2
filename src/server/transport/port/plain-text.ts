/** The answer to a client that speaks plain text where TLS is spoken: what it must do, in its own protocol. */

import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";

/** µs in which the client may read it. */
const LINGER = 1_000_000;
const WORDS = "this port speaks TLS: call it by https://";

const HTTP2_BEGIN = "PRI * HTTP/2.0";
const HTTP1_BEGIN = /^[A-Z]{3,20} /;

export function answerPlainText(socket: Socket, head: Buffer, clock: Clock): void {
  const begin = head.subarray(0, 32).toString("latin1");
  if (begin.startsWith(HTTP2_BEGIN)) say(goAway());
  else if (HTTP1_BEGIN.test(begin)) say(badRequest());
  else socket.destroy();

  function say(answer: Buffer): void {
    const cancel = clock.schedule(clock.now() + LINGER, false, () => socket.destroy());
    socket.once("close", cancel);
    socket.once("end", () => socket.destroy());
    socket.end(answer);
    // What came and is not read would have the system reset the connection, and the answer would be lost.
    socket.resume();
  }
}

/** An empty SETTINGS frame, and GOAWAY with INADEQUATE_SECURITY and the words for people (RFC 9113, 6.8). */
function goAway(): Buffer {
  const words = Buffer.from(WORDS);
  const payload = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 0x0c]), words]);
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const header = Buffer.from([0, 0, payload.length, 7, 0, 0, 0, 0, 0]);
  return Buffer.concat([settings, header, payload]);
}

function badRequest(): Buffer {
  const body = `${WORDS}\n`;
  return Buffer.from(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}
