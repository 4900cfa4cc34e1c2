/** What else there is to know of a queue, what may be done, and what stands behind it elsewhere. */

import { actWords } from "../../../explain/act.ts";
import type { Explanation } from "../../../explain/explanation.ts";
import { formatRoute } from "../../model/route.ts";

export function Advice({ explanation }: { readonly explanation: Explanation }) {
  const { details, acts, behind, standing } = explanation;
  const needsAdvice = standing.state !== "calm" && acts.length > 0;
  return (
    <div class="advice">
      {details.map((detail) => (
        <p key={detail}>{detail}</p>
      ))}
      {needsAdvice && (
        <details open={standing.state === "stuck" || standing.state === "shedding"}>
          <summary>What may be done</summary>
          <ul>
            {acts.map((act) => (
              <li key={JSON.stringify(act)}>{actWords(act)}</li>
            ))}
          </ul>
        </details>
      )}
      {behind !== undefined && (
        <p>
          <a href={formatRoute({ view: { kind: "limiter", name: behind.limiter } })}>{behind.limiter}</a>:{" "}
          {behind.sentence}
        </p>
      )}
    </div>
  );
}
