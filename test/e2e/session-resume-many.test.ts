/** A session that holds more than one message can list is taken up again with all of it. */

import { expect, test } from "vitest";
import type { SessionResponse } from "../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { startTestServer } from "../support/server.ts";
import { openSession, tryAcquireOf } from "./support/session.ts";

/** With ids of 26 bytes more than the 4 MiB that a client of any language takes as one message, unless it is told otherwise. */
const LEASES = 160_000;
const AT_ONCE = 1_000;

test(`a session with ${LEASES} leases is taken up again, by as many messages as that takes`, async () => {
  await using server = await startTestServer(
    `limiters: [{ name: db, max_concurrent: ${LEASES}, ttl: 300s, max_ttl: 300s }]`,
  );
  const first = openSession(server.address);
  const opened = await first.open({ keepOnCancel: true });
  let answered = 0;
  first.call.on("data", ({ answers }: SessionResponse) => {
    answered += answers.length;
  });
  for (let asked = AT_ONCE; asked <= LEASES; asked += AT_ONCE) {
    first.send(...Array.from({ length: AT_ONCE }, () => tryAcquireOf("db")));
    await first.find(() => (answered === asked ? true : undefined));
  }
  const held = first.answers().flatMap(({ answer }) => (answer.case === "granted" ? [answer.value.lease?.id] : []));
  first.lose();

  const again = openSession(server.address);
  await again.open({ keepOnCancel: true, resume: opened.credential });
  await again.ask({ case: "renew", value: {} });
  const parts = again.responses.flatMap((response) => response.opened ?? []);
  expect(parts.slice(0, -1).every(({ more, resumed }) => more && resumed)).toBe(true);
  expect(parts.at(-1)?.more).toBe(false);
  expect(Math.max(...parts.map(({ leaseIds }) => leaseIds.length))).toBeLessThanOrEqual(10_000);
  const listed = parts.flatMap(({ leaseIds }) => leaseIds);
  expect(listed).toHaveLength(LEASES);
  expect(new Set(listed)).toEqual(new Set(held));
  // What is answered comes after the last of them.
  expect(again.responses.findIndex(({ answers }) => answers.length > 0)).toBeGreaterThanOrEqual(parts.length - 1);
}, 60_000);
