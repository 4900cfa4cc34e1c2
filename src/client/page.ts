/** A page in a browser: how it goes away, and what it can still say then. */

import { create, type DescMethod, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { AdmissionService } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "./gen/ggen/backpressure/v1/board_service_pb.ts";
import { WorkOutcome } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import type { Page } from "./ports.ts";

/** Bytes that all requests which outlive a page may have together. */
const KEEPALIVE_BYTES = 64 * 1024;

/**
 * The page of this window; undefined in a worker, which ends without a word. `baseUrl` is that of the transport; without
 * it the page has no last words, and only closes its streams.
 *
 * A page that goes into the back/forward cache (`persisted`) is treated like one that goes for good: it stands still
 * there, cannot renew, and its connections are closed.
 */
export function currentPage(baseUrl: string | undefined): Page | undefined {
  if (typeof window === "undefined") return undefined;
  return {
    onHide(listener) {
      window.addEventListener("pagehide", listener);
      return () => window.removeEventListener("pagehide", listener);
    },
    sendLast(leases, cards) {
      if (baseUrl === undefined) return;
      const { release } = AdmissionService.method;
      const { giveBackCard } = BoardService.method;
      const words = [
        ...leases.map((lease) => wordsOf(release, { ...lease, outcome: WorkOutcome.IGNORED })),
        ...cards.map((card) => wordsOf(giveBackCard, card)),
      ];
      let bytes = 0;
      for (const { path, body } of words) {
        bytes += body.length;
        // What the browser would refuse is left to the ttl.
        if (bytes > KEEPALIVE_BYTES) return;
        const headers = { "content-type": "application/json", "connect-protocol-version": "1" };
        fetch(`${baseUrl}/${path}`, { method: "POST", headers, body, keepalive: true }).catch(() => {});
      }
    },
  };
}

/** A call in JSON, as Connect takes it. */
function wordsOf<M extends DescMethod>({ parent, name, input }: M, request: MessageInitShape<M["input"]>) {
  return { path: `${parent.typeName}/${name}`, body: toJsonString(input, create(input, request)) };
}
