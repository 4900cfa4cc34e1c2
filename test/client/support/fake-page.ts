/** A page that goes away and comes back when the test says so. */

import type { LastWord, Page } from "../../../src/client/rpc/page.ts";

export interface FakePage extends Page {
  hide(): void;
  show(): void;
  /** Its last words, each by the name of its method and its request. */
  readonly sent: readonly (readonly [string, Readonly<Record<string, unknown>>])[];
}

export function createFakePage(): FakePage {
  const hiding = new Set<() => void>();
  const showing = new Set<() => void>();
  const sent: [string, Readonly<Record<string, unknown>>][] = [];

  function listen(listeners: Set<() => void>) {
    return (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    };
  }

  function call(listeners: ReadonlySet<() => void>) {
    return () => {
      for (const listener of listeners) listener();
    };
  }

  return {
    onHide: listen(hiding),
    onShow: listen(showing),
    sendLast(words: readonly LastWord[]) {
      for (const { method, request } of words) sent.push([method.name, { ...request }]);
    },
    hide: call(hiding),
    show: call(showing),
    sent,
  };
}
