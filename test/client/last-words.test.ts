/** What a page says when it goes away: as much as the browser lets it. */

import { fromBinary } from "@bufbuild/protobuf";
import { beforeEach, expect, test, vi } from "vitest";
import {
  AdmissionService,
  ReleaseRequestSchema,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { LastWord } from "../../src/client/rpc/page.ts";
import { currentPage } from "../../src/client/transport/page.ts";

const KEEPALIVE_BYTES = 64 * 1024;

interface Sent {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly leaseId: string;
}

let sent: Sent[];

beforeEach(() => {
  sent = [];
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("fetch", async (url: string, { headers, body, keepalive }: RequestInit) => {
    expect(keepalive).toBe(true);
    const { leaseId } = fromBinary(ReleaseRequestSchema, body as Uint8Array);
    sent.push({ url, headers: Object.fromEntries(new Headers(headers)), leaseId });
    return new Response();
  });
});

/** A release whose message has so many bytes. */
function wordOf(bytes: number): LastWord {
  // A tag, and a length of as many bytes as it needs.
  const leaseId = "x".repeat(bytes - (bytes > 0x4000 ? 4 : bytes > 0x80 ? 3 : 2));
  return { method: AdmissionService.method.release, request: { leaseId } };
}

function sentBy(baseUrl: string | undefined, words: readonly LastWord[]): readonly number[] {
  currentPage(baseUrl)?.sendLast(words);
  return sent.map(({ leaseId }) => leaseId.length);
}

test("is said as Connect says it, to where the transport speaks", () => {
  sentBy("https://backpressure.example.com/api/", [wordOf(10)]);
  expect(sent).toEqual([
    {
      url: "https://backpressure.example.com/api/ggen.backpressure.v1.AdmissionService/Release",
      headers: { "content-type": "application/proto", "connect-protocol-version": "1" },
      leaseId: "x".repeat(8),
    },
  ]);
});

test("fills what the browser keeps alive, to the byte", () => {
  expect(sentBy("", [wordOf(KEEPALIVE_BYTES - 100), wordOf(100)])).toHaveLength(2);
});

test("leaves out what does not fit, and goes on with what does", () => {
  const lengths = sentBy("", [wordOf(KEEPALIVE_BYTES - 50), wordOf(100), wordOf(30), wordOf(30), wordOf(20)]);
  expect(lengths.slice(1)).toEqual([28, 18]);
});

test("is nothing where the transport is the caller's, and its address is not known", () => {
  expect(sentBy(undefined, [wordOf(10)])).toEqual([]);
});
