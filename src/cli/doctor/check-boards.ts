/** Boards whose stages cannot do what they are meant to. */

import type { Board, Stage } from "../../client/api/board.ts";
import type { Limiter } from "../../client/api/limiter.ts";
import { formatCount, formatNumber } from "../../text/number.ts";
import { type Finding, ok } from "./finding.ts";
import type { Observations } from "./observations.ts";

export function checkBoards({ boards, limiters }: Pick<Observations, "boards" | "limiters">): Finding[] {
  const byName = new Map(limiters.map((limiter) => [limiter.name, limiter]));
  const findings = boards.flatMap((board) => [
    ...board.stages.flatMap((stage) => checkStage(board, stage, byName)),
    ...checkFlow(board),
  ]);
  if (findings.some(({ level }) => level !== "note")) return findings;
  return [ok("boards", `nothing looks wrong with ${formatCount(boards.length, "board")}`), ...findings];
}

function checkStage({ name }: Board, stage: Stage, limiters: ReadonlyMap<string, Limiter>): Finding[] {
  if (stage.limiter === "") return [];
  const where = `board ${name}, stage ${stage.name}`;
  const limiter = limiters.get(stage.limiter);
  const pulls = "every pull claims it, so that no card can be pulled into the stage";
  if (limiter === undefined) {
    return [
      {
        level: "problem",
        check: "stage-limiter",
        what: `${where}: there is no limiter ${stage.limiter}`,
        why: pulls,
        todo: `make it (\`backpressure limiters set ${stage.limiter} --max-concurrent N\`), or take it from the stage`,
      },
    ];
  }
  if (limiter.keyed) {
    const what = `${where}: its limiter ${limiter.name} is keyed`;
    return [{ level: "problem", check: "stage-limiter", what, why: pulls, todo: "name a limiter without keys" }];
  }
  const { maxConcurrent } = limiter;
  if (maxConcurrent === undefined || stage.wipLimit === undefined || stage.wipLimit <= maxConcurrent) return [];
  return [
    {
      level: "warning",
      check: "stage-wip",
      what: `${where}: no more than ${formatNumber(maxConcurrent)} of its ${formatNumber(stage.wipLimit)} cards can be worked on at once`,
      why: `each card that is worked on holds a permit of ${limiter.name}, which has ${formatNumber(maxConcurrent)}`,
      todo: "lower wip_limit, or raise max_concurrent",
    },
  ];
}

function checkFlow({ name, status }: Board): Finding[] {
  const findings: Finding[] = [];
  if (status.bottleneck !== "") {
    findings.push({
      level: "note",
      check: "bottleneck",
      what: `board ${name}: ${status.bottleneck} is the bottleneck`,
      why: "it does not take the cards that it could, while the stage before it is full",
      todo: `have more workers pull into ${status.bottleneck}`,
    });
  }
  if (status.blocked > 0) {
    findings.push({
      level: "note",
      check: "blocked",
      what: `board ${name}: ${formatCount(status.blocked, "card")} blocked`,
      why: "a blocked card counts in its stage and is pulled by no worker",
      todo: `see why: \`backpressure board --board ${name}\`, and unblock what can go on`,
    });
  }
  return findings;
}
