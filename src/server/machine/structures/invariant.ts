/** How an invariant is stated: what should hold, of whom. A broken one is a bug, and throws. */

import type { Due, IndexedHeap } from "./indexed-heap.ts";

/** Whom it is about; a text where it is about no single one. */
export type Subject =
  | { readonly kind: "lease" | "waiter"; readonly id: string }
  | LimiterSubject
  | { readonly kind: "instance"; readonly limiter: LimiterSubject; readonly key: string }
  | { readonly kind: "term"; readonly ttl: number; readonly session: { readonly id: string } }
  | string;

interface LimiterSubject {
  readonly kind: "limiter";
  readonly config: { readonly name: string };
}

export function holds(condition: boolean, subject: Subject, rule: string): void {
  if (!condition) throw new Error(`Broken invariant: ${describe(subject)}: ${rule}`);
}

/** That what was counted is what there is. */
export function counts(counted: number, there: number, subject: Subject, what: string): void {
  if (counted !== there)
    throw new Error(`Broken invariant: ${describe(subject)}: ${there} ${what}, counted ${counted}`);
}

/** Checks that heapIndex equals position, and that no item stands above one that is due earlier. */
export function holdsHeap<T extends Due>(heap: Pick<IndexedHeap<T>, "items">, subject: Subject): void {
  const items = [...heap.items()];
  for (const [index, item] of items.entries()) {
    holds(item.heapIndex === index, subject, "heapIndex equals position");
    holds((items[(index - 1) >> 1]?.dueAt ?? 0) <= item.dueAt, subject, "what falls due first is first in its heap");
  }
}

function describe(subject: Subject): string {
  if (typeof subject === "string") return subject;
  switch (subject.kind) {
    case "lease":
    case "waiter":
      return `${subject.kind} ${subject.id}`;
    case "term":
      return `session ${subject.session.id}, ttl ${subject.ttl}`;
    case "limiter":
      return `limiter ${subject.config.name}`;
    case "instance":
      return `limiter ${subject.limiter.config.name}, key "${subject.key}"`;
  }
}
