/** What was done on this page, in a sentence each: the last one, until it is dismissed or another takes its place. */

import { type ReadonlySignal, signal } from "@preact/signals";

export interface Notice {
  readonly kind: "done" | "failed";
  readonly text: string;
}

export interface Notices {
  readonly latest: ReadonlySignal<Notice | undefined>;
  say(notice: Notice): void;
  dismiss(): void;
}

export function createNotices(): Notices {
  const latest = signal<Notice | undefined>(undefined);
  return {
    latest,
    say(notice) {
      latest.value = notice;
    },
    dismiss() {
      latest.value = undefined;
    },
  };
}
