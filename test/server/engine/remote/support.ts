/** Both ends of a link in one thread: texts arrive in a later turn, in order. */

import type { Carrier } from "../../../../src/server/engine/remote/channel.ts";

export interface Link {
  readonly front: Carrier;
  readonly owner: Carrier;
  /** What has crossed it, in order. */
  readonly texts: { readonly from: "front" | "owner"; readonly text: string }[];
  /** From here on nothing arrives, as at a side that has hung. */
  stall(): void;
}

interface End {
  onText: (text: string) => void;
  onClose: () => void;
}

export function createLink(): Link {
  const texts: Link["texts"] = [];
  const ends: Record<"front" | "owner", End> = {
    front: { onText: () => {}, onClose: () => {} },
    owner: { onText: () => {}, onClose: () => {} },
  };
  let stalled = false;
  let closed = false;

  function carrier(own: "front" | "owner", other: "front" | "owner"): Carrier {
    return {
      post(text) {
        if (closed) return;
        texts.push({ from: own, text });
        if (!stalled) setImmediate(() => ends[other].onText(text));
      },
      onText(listener) {
        ends[own].onText = listener;
      },
      onClose(listener) {
        ends[own].onClose = listener;
      },
      close() {
        if (closed) return;
        closed = true;
        setImmediate(() => {
          ends.front.onClose();
          ends.owner.onClose();
        });
      },
    };
  }

  return {
    front: carrier("front", "owner"),
    owner: carrier("owner", "front"),
    texts,
    stall() {
      stalled = true;
    },
  };
}

/** Resolves when all that was said has arrived, been answered, and so on. */
export async function calm(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}
