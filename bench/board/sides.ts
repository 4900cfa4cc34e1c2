/** What is measured of the board machine: each side does a share of its work and says what one operation cost, in ns. */

import { createIds } from "../../src/server/ids.ts";
import { queue, work } from "../../test/server/machine/board/boards.ts";
import { tenure } from "../support/collect.ts";
import type { Side } from "../support/in-turns.ts";
import { threadTime } from "../support/thread-time.ts";
import { createSubject, type Subject } from "./subject.ts";

/** Operations of one side in one round. */
export const SHARE = 20_000;
/** Operations between two looks at the clock; new cards come in outside the measured time. */
const BATCH = 50;

const ids = createIds();

/**
 * A card is pulled and finished, through InProgress and through Review: two operations, after which it is done. `backlog`
 * cards lie in the first stage (`priorities`: of any priority), and `completed` in the last.
 */
export function pullAndFinish({ backlog = 0, completed = 0, priorities = false }): Side {
  const subject = createSubject({ keepCompleted: completed });
  const priority = () => (priorities ? Math.floor(Math.random() * 2_001) - 1_000 : 0);
  for (let i = 0; i < completed; i++) passThrough(subject);
  for (let i = 0; i < backlog; i++) subject.add(ids.next(), priority());
  return () => {
    let spent = 0;
    for (let done = 0; done < SHARE; done += BATCH) {
      for (let i = 0; i < BATCH / 2; i++) subject.add(ids.next(), priority());
      const pulls = freshIds(BATCH);
      if (done === 0) tenure();
      const begun = threadTime();
      for (let i = 0; i < BATCH; i += 2) {
        subject.finish(subject.pull(pulls[i] as string, "InProgress"));
        subject.finish(subject.pull(pulls[i + 1] as string, "Review"));
      }
      spent += threadTime() - begun;
    }
    return spent / SHARE;
  };
}

/** What one freed place brings about while many wait for it. */
export interface HandOn {
  readonly side: Side;
  /** How many pullers were served for each place that came free, and how many of them before an earlier one. */
  readonly tally: { freed: number; served: number; overtaken: number };
}

/** A card is finished and leaves its stage: the first puller there is given the next, and another joins the queue. */
export function handOn(pullers: number): HandOn {
  const subject = createSubject({
    stages: [queue("In", undefined, { autoPull: false }), work("Work", 1), queue("Out")],
  });
  const tally = { freed: 0, served: 0, overtaken: 0 };
  subject.add(ids.next());
  let held = subject.pull(ids.next(), "Work");
  const line = freshIds(pullers).map((id) => subject.queue(id, "Work"));
  let head = 0;
  return {
    tally,
    side() {
      let spent = 0;
      for (let done = 0; done < SHARE; done += BATCH) {
        for (let i = 0; i < BATCH; i++) subject.add(ids.next());
        const newcomers = freshIds(BATCH);
        if (done === 0) tenure();
        const begun = threadTime();
        for (const id of newcomers) {
          const events = subject.finish(held);
          tally.freed += 1;
          for (const { to, news } of events) {
            if (news.kind !== "pulled" || news.work === undefined) continue;
            tally.served += 1;
            if (to !== line[head]) tally.overtaken += 1;
            head += 1;
            held = { cardId: news.card.id, token: news.work.token };
          }
          line.push(subject.queue(id, "Work"));
        }
        spent += threadTime() - begun;
      }
      return spent / SHARE;
    },
  };
}

function passThrough(subject: Subject): void {
  subject.add(ids.next());
  for (const stage of ["InProgress", "Review"]) subject.finish(subject.pull(ids.next(), stage));
}

function freshIds(count: number): string[] {
  return Array.from({ length: count }, () => ids.next());
}
