/** A scrape that a thread serves and the main thread writes: each piece crosses when it is asked for. */

import { once } from "node:events";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type ExpositionFormat, type Scraper, TooManyScrapes } from "../../scrape.ts";

type Answer =
  | { readonly kind: "piece"; readonly text: string }
  | { readonly kind: "over" }
  | { readonly kind: "too-many" }
  | { readonly kind: "failed"; readonly message: string };

/** `begin` hands the other end of a link to the main thread. */
export function createRemoteScraper(begin: (format: ExpositionFormat, port: MessagePort) => void): Scraper {
  return async function* scrape(format) {
    const { port1: port, port2 } = new MessageChannel();
    const lost = new AbortController();
    port.on("close", () => lost.abort());
    begin(format, port2);
    try {
      for (;;) {
        port.postMessage("next");
        const [answer] = (await once(port, "message", { signal: lost.signal })) as [Answer];
        switch (answer.kind) {
          case "piece":
            yield answer.text;
            break;
          case "too-many":
            throw new TooManyScrapes();
          case "failed":
            throw new Error(answer.message);
          case "over":
            return;
        }
      }
    } finally {
      port.close();
    }
  };
}

/** Answers the other end, until that is closed. */
export function serveScrape(scraper: Scraper, format: ExpositionFormat, port: MessagePort): void {
  const pieces = scraper(format);
  port.on("close", () => void pieces.return());
  port.on("message", () => {
    pieces.next().then(
      (piece) => answer(piece.done ? { kind: "over" } : { kind: "piece", text: piece.value }),
      (error: Error) => {
        answer(error instanceof TooManyScrapes ? { kind: "too-many" } : { kind: "failed", message: error.message });
      },
    );
  });

  function answer(said: Answer): void {
    port.postMessage(said);
  }
}
