/** A limiter in a line. */

import { formatRoughly } from "../../../text/duration.ts";
import { formatNumber } from "../../../text/number.ts";
import { standingOf } from "../../model/census.ts";
import { formatRoute } from "../../model/route.ts";
import { usePage } from "../../ui/context.ts";
import { Bar, TroubleMark } from "../../ui/marks.tsx";

export interface LimiterRowProps {
  readonly name: string;
  readonly rowIndex: number;
  readonly onFocus: () => void;
  readonly onBlur: () => void;
}

export function LimiterRow({ name, rowIndex, onFocus, onBlur }: LimiterRowProps) {
  const { limiters, connection } = usePage();
  void limiters.version.value;
  const heard = limiters.byName.get(name);
  if (heard === undefined) return null;
  const { limiter, trouble, heldBackBy, oldestWait, needsAttention } = standingOf(heard, connection.now.value);
  const { status } = limiter;
  return (
    <tr aria-rowindex={rowIndex} class={needsAttention ? "needy" : undefined}>
      <td>
        <TroubleMark trouble={trouble} />
      </td>
      <th scope="row">
        <a
          href={formatRoute({ view: { kind: "limiter", name } })}
          data-name={name}
          title={limiter.description || name}
          onFocus={onFocus}
          onBlur={onBlur}
        >
          {name}
        </a>
      </th>
      <td class="wide">
        {limiter.maxConcurrent === undefined ? (
          <span class="faint">rate only</span>
        ) : (
          <>
            <Bar part={status.permitsInUse} whole={status.permitsLimit} /> {formatNumber(status.permitsInUse)} of{" "}
            {formatNumber(status.permitsLimit)}
          </>
        )}
      </td>
      <td class="number">{formatNumber(status.waiters)}</td>
      <td class="number">{status.waiters === 0 ? <span class="faint">–</span> : formatRoughly(oldestWait)}</td>
      <td class="number wide">
        {formatNumber(status.admissionRate)} / {formatNumber(status.completionRate)}
      </td>
      <td class="wide">{heldBackBy}</td>
      <td class="widest" />
    </tr>
  );
}
