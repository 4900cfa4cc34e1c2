import { expect, test } from "vitest";
import { readOrigin } from "../../../src/server/wire/web-origin.ts";

function matches(written: string, origin: string): boolean {
  const reading = readOrigin(written);
  if (reading.kind === "invalid") throw new Error(`must be ${reading.expected}`);
  return reading.matches(origin);
}

test.each([
  ["https://app.example.com", "https://app.example.com"],
  ["HTTPS://App.Example.COM", "https://app.example.com"],
  ["https://app.example.com:443", "https://app.example.com"],
  ["http://app.example.com:80", "http://app.example.com"],
  ["https://app.example.com:80", "https://app.example.com:80"],
  ["https://b\u00fccher.example", "https://xn--bcher-kva.example"],
  ["https://*.b\u00fccher.example", "https://a.xn--bcher-kva.example"],
  ["http://127.0.0.1:3000", "http://127.0.0.1:3000"],
  ["http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"],
  ["http://[::1]:*", "http://[::1]:3000"],
  ["http://[::1]:*", "http://[::1]"],
  ["https://*.example.com", "https://app.example.com"],
  ["https://*.example.com", "https://a.b-1.example.com"],
  ["https://*.example.com:443", "https://app.example.com"],
  ["https://*.example.com:8443", "https://app.example.com:8443"],
  ["http://localhost:*", "http://localhost"],
  ["http://localhost:*", "http://localhost:5173"],
  ["http://*.localhost:*", "http://app.localhost:5173"],
])("%s matches the page of %s", (written, origin) => {
  expect(matches(written, origin)).toBe(true);
});

test.each([
  ["https://app.example.com", "http://app.example.com"],
  ["https://app.example.com", "https://app.example.com:8443"],
  ["https://app.example.com", "https://app.example.com.evil.net"],
  ["https://app.example.com", "null"],
  ["https://*.example.com", "https://example.com"],
  ["https://*.example.com", "https://.example.com"],
  ["https://*.example.com", "https://evilexample.com"],
  ["https://*.example.com", "https://app.example.com.evil.net"],
  ["https://*.example.com", "https://evil.net/.example.com"],
  ["https://*.example.com", "https://evil.net?.example.com"],
  ["https://*.example.com", "https://evil.net#.example.com"],
  ["https://*.example.com", "https://evil@app.example.com"],
  ["https://*.example.com", "https://app.example.com:8443"],
  ["https://*.example.com", "http://app.example.com"],
  ["http://localhost:*", "https://localhost:5173"],
  ["http://localhost:*", "http://localhost.evil.net:80"],
  ["http://localhost:*", "http://localhost:80:80"],
  ["http://localhost:*", "http://localhost:"],
  ["http://localhost:*", "http://app.localhost:5173"],
  ["http://*.localhost:*", "http://a.localhost:1.evil.net"],
])("%s does not match %s", (written, origin) => {
  expect(matches(written, origin)).toBe(false);
});

test.each([
  ["null", /sandboxed/],
  ["https://a.example/", /without a path: https:\/\/a\.example$/],
  ["https://a.example/app", /without a path, such as/],
  ["https://a.example?x", /without a path/],
  ["a.example", /with its scheme: https:\/\/a\.example/],
  ["*.example.com", /with its scheme/],
  ["https://*", /the first part of a host/],
  ["https://app-*.example.com", /the first part of a host/],
  ["https://app.*.com", /the first part of a host/],
  ["*://app.example.com", /the first part of a host/],
  ["https://app.example.com:80*", /the first part of a host/],
  ["https://me@a.example", /without a path/],
  ["https://a.example:99999", /that a browser can have/],
  ["https://a b.example", /without a path/],
  ["http://*.127.0.0.1", /no subdomains|that a browser can have/],
  ["http://*.[::1]", /no subdomains|without|first part/],
  ["ftp://a.example", /without a path/],
  ["chrome-extension://abc", /without a path/],
  ["", /without a path/],
])("%j is refused: it is no page's origin", (written, why) => {
  const reading = readOrigin(written);
  expect(reading).toMatchObject({ kind: "invalid", expected: expect.stringMatching(why) });
});
