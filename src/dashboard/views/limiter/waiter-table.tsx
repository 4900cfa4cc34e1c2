/** Who waits, in order. */

import { useState } from "preact/hooks";
import type { Limiter, WaiterInfo } from "../../../client/api/limiter.ts";
import { nameOf, obstacleWords } from "../../../explain/words.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatCount } from "../../../text/number.ts";
import { ActDialog } from "../../ui/act-dialog.tsx";
import { CallerMark } from "../../ui/caller-mark.tsx";
import { usePage } from "../../ui/context.ts";

export interface WaiterTableProps {
  readonly limiter: Limiter;
  readonly waiters: readonly WaiterInfo[];
  /** ms by which the server's clock is ahead. */
  readonly ahead: number;
  readonly onDone: () => void;
}

export function WaiterTable({ limiter, waiters, ahead, onDone }: WaiterTableProps) {
  const { connection, rpc } = usePage();
  const [leaving, setLeaving] = useState<WaiterInfo | undefined>(undefined);
  const now = connection.now.value + ahead;
  const { status, name } = limiter;
  const close = () => {
    setLeaving(undefined);
    onDone();
  };
  return (
    <section aria-labelledby="waiters">
      <h2 id="waiters">{formatCount(status.waiters, "request")} waiting</h2>
      {waiters.length < status.waiters && <p class="faint">The first {waiters.length}, in order.</p>}
      {waiters.length > 0 && (
        <div class="scroller">
          <table class="waiters">
            <thead>
              <tr>
                <th scope="col" class="number">
                  Place
                </th>
                <th scope="col">Holder</th>
                <th scope="col" class="number">
                  Waits for
                </th>
                <th scope="col" class="number">
                  About
                </th>
                <th scope="col">In the way</th>
                <th scope="col">
                  <span class="unseen">Acts</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {waiters.map((waiter) => (
                <tr key={waiter.id} data-waiter={waiter.id}>
                  <td class="number">{waiter.waitersAhead + 1}</td>
                  <th scope="row">
                    {waiter.holder || <span class="faint">without a name</span>}
                    <CallerMark caller={waiter.caller} />
                  </th>
                  <td class="number">{age(waiter.arriveTime, now)}</td>
                  <td class="number">
                    {waiter.estimatedWaitMs === undefined ? "–" : formatRoughly(waiter.estimatedWaitMs)}
                  </td>
                  <td>{inTheWay(waiter, name)}</td>
                  <td class="number">
                    <button type="button" onClick={() => setLeaving(waiter)}>
                      Cancel<span class="unseen"> the request of {waiter.holder || waiter.id}</span>
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {leaving !== undefined && (
        <ActDialog
          title={`Take ${leaving.holder || "the request"} out of the queue`}
          confirm="Take it out"
          grave
          onClose={close}
          run={async () => {
            await rpc.limiters.cancelWaiter({ waiterId: leaving.id });
            return `${leaving.holder || "The request"} is out of the queue of ${name}.`;
          }}
        >
          <p>
            Its client hears that an operator took it out (WAITER_CANCELLED), and those behind it move up. Nothing that
            is held changes.
          </p>
        </ActDialog>
      )}
    </section>
  );
}

function inTheWay({ away, obstacles }: WaiterInfo, name: string): string {
  if (away) return "its connection is lost";
  const [first] = obstacles;
  if (first === undefined) return "";
  const where = first.limiter === name ? "" : `${nameOf(first.limiter, first.key)}: `;
  return `${where}${obstacleWords(first.reason)}`;
}

function age(since: Date | undefined, now: number): string {
  return since === undefined ? "–" : formatRoughly(Math.max(0, now - since.getTime()));
}
