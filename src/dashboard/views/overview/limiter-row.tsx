/** A limiter in a line. */

import { needsOperator } from "../../../explain/overview.ts";
import { causeWords } from "../../../explain/words.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatNumber } from "../../../text/number.ts";
import { seenAt } from "../../model/census.ts";
import { formatRoute } from "../../model/route.ts";
import { usePage } from "../../ui/context.ts";
import { Bar, Sparkline, StateMark } from "../../ui/marks.tsx";

export interface LimiterRowProps {
  readonly name: string;
  readonly rowIndex: number;
  readonly onFocus: () => void;
  readonly onBlur: () => void;
}

export function LimiterRow({ name, rowIndex, onFocus, onBlur }: LimiterRowProps) {
  const { limiters, connection, recent } = usePage();
  void limiters.version.value;
  void recent.version.value;
  const heard = limiters.byName.get(name);
  if (heard === undefined) return null;
  const seen = seenAt(heard, connection.now.value);
  const { limiter, standing } = seen;
  const { status } = limiter;
  const { oldestWaitMs } = standing;
  return (
    <tr aria-rowindex={rowIndex} class={needsOperator(seen) ? "needy" : undefined}>
      <td>
        <StateMark state={standing.state} />
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
      <td class="number">{oldestWaitMs === undefined ? <span class="faint">–</span> : formatRoughly(oldestWaitMs)}</td>
      <td class="number wide">
        {formatNumber(status.admissionRate)} / {formatNumber(status.completionRate)}
      </td>
      <td class="wide">{causeWords(standing.cause)}</td>
      <td class="widest">
        <Sparkline values={recent.of(name)} label={`waiting in the last ten minutes: ${trend(recent.of(name))}`} />
      </td>
    </tr>
  );
}

/** A line in words. */
function trend(values: readonly number[]): string {
  return values.length === 0
    ? "unknown"
    : `${formatNumber(Math.max(...values))} at most, ${formatNumber(values.at(-1) ?? 0)} now`;
}
