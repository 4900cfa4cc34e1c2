/** All boards. */

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Board } from "../../../client/api/board.ts";
import { boardFromWire } from "../../../client/wire/board.ts";
import { formatNumber } from "../../../text/number.ts";
import { formatRoute } from "../../model/route.ts";
import { createPoll } from "../../store/poll.ts";
import { usePage } from "../../ui/context.ts";

/** ms. */
const PACE = 500;
const PATIENCE = 2_000;

export function BoardsPage() {
  const { rpc } = usePage();
  const boards = useMemo(() => signal<readonly Board[] | undefined>(undefined), []);
  useEffect(() => {
    const read = async () => {
      const found = await rpc.boards.listBoards({ pageSize: 1_000 });
      boards.value = found.boards.map(boardFromWire);
    };
    return createPoll({ read, pace: PACE, patience: PATIENCE }).close;
  }, [rpc, boards]);
  const all = boards.value;
  if (all === undefined) return null;
  return (
    <>
      <h1>{all.length === 1 ? "1 board" : `${all.length} boards`}</h1>
      <div class="scroller whole">
        <table class="boards">
          <thead>
            <tr>
              <th scope="col">Board</th>
              <th scope="col" class="number">
                Cards
              </th>
              <th scope="col" class="number">
                Blocked
              </th>
              <th scope="col" class="number">
                Completed an hour
              </th>
              <th scope="col">Bottleneck</th>
            </tr>
          </thead>
          <tbody>
            {all.map(({ name, status }) => (
              <tr key={name}>
                <th scope="row">
                  <a href={formatRoute({ view: { kind: "board", name } })}>{name}</a>
                </th>
                <td class="number">{formatNumber(status.cards)}</td>
                <td class="number">{formatNumber(status.blocked)}</td>
                <td class="number">{formatNumber(status.throughputPerHour)}</td>
                <td>{status.bottleneck}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
