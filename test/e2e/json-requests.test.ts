/** Requests in JSON, as people send them with curl: a misspelt word is refused, never passed over. */

import { expect, test } from "vitest";
import { startTestServer } from "../support/server.ts";

const SERVICE = "ggen.backpressure.v1.AdmissionService";

async function post(url: string, method: string, body: string, type = "application/json") {
  const answer = await fetch(`${url}/${SERVICE}/${method}`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  return { status: answer.status, text: await answer.text() };
}

test("a misspelt field is INVALID_ARGUMENT with the nearest name, and nothing is granted", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 100 }]");
  const wrong = await post(server.url, "TryAcquire", '{"claims":[{"limiter":"db","permit":50}]}');
  expect(wrong.status).toBe(400);
  const error = JSON.parse(wrong.text);
  expect(error).toMatchObject({
    code: "invalid_argument",
    message: "claims[0].permit: no such field; did you mean permits?",
  });
  expect(error.details.map(({ type }: { type: string }) => type)).toEqual([
    "google.rpc.ErrorInfo",
    "google.rpc.BadRequest",
  ]);
  const right = await post(server.url, "TryAcquire", '{"claims":[{"limiter":"db","permits":100}]}');
  expect(right.status).toBe(200);
});

test.each([
  [
    "another unit than seconds",
    '{"claims":[{"limiter":"db"}],"ttl":"1m"}',
    /ttl: must be seconds as text, such as .*60s/,
  ],
  ["no JSON", '{"claims":', /the request is no JSON/],
])("%s is refused with what to write", async (_what, body, message) => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const answer = await post(server.url, "TryAcquire", body);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toMatchObject({ code: "invalid_argument", message: expect.stringMatching(message) });
});

test("the same holds for streams", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const json = '{"claims":[{"limiter":"db","tokns":2}]}';
  const body = `\0\0\0\0${String.fromCharCode(json.length)}${json}`;
  const { text } = await post(server.url, "Acquire", body, "application/connect+json");
  expect(text).toContain("claims[0].tokns: no such field; did you mean tokens?");
});
