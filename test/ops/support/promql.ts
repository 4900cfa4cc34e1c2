/** Which metrics a PromQL expression reads, and which labels it asks of each. */

import { parser } from "@prometheus-io/lezer-promql";

export interface Uses {
  /** By metric: labels that it is selected, or grouped, by. */
  readonly metrics: ReadonlyMap<string, ReadonlySet<string>>;
  /** Labels that are left out of sums or comparisons: some metric of the expression should have them. */
  readonly leftOut: ReadonlySet<string>;
}

type Tree = ReturnType<typeof parser.parse>;
type SyntaxNode = Tree["topNode"];

/** Throws where the expression is not valid. */
export function usesOf(expression: string): Uses {
  const metrics = new Map<string, Set<string>>();
  const leftOut = new Set<string>();
  const text = ({ from, to }: SyntaxNode) => expression.slice(from, to);
  const labelsBelow = (node: SyntaxNode | null) => (node?.getChildren("LabelName") ?? []).map(text);

  /** `grouped` are the labels of the sums around a node. */
  function visit(node: SyntaxNode, grouped: readonly string[]): void {
    if (node.type.isError) throw new Error(`not PromQL at character ${node.from}: ${expression}`);
    let below = grouped;
    if (node.name === "AggregateExpr") {
      const modifier = node.getChild("AggregateModifier");
      const labels = labelsBelow(modifier?.getChild("GroupingLabels") ?? null);
      if (modifier?.getChild("By")) below = labels;
      else for (const label of labels) leftOut.add(label);
    }
    if (node.name === "MatchingModifierClause") {
      for (const label of labelsBelow(node.getChild("GroupingLabels"))) leftOut.add(label);
    }
    if (node.name === "VectorSelector") {
      const name = node.getChild("Identifier");
      if (name === null) throw new Error(`a selector without the name of a metric: ${text(node)}`);
      const matchers = node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? [];
      const asked = metrics.get(text(name)) ?? new Set();
      for (const label of [...below, ...matchers.flatMap(labelsBelow)]) asked.add(label);
      metrics.set(text(name), asked);
    }
    // The right side of these only decides which series of the left side stay.
    const isFilter = node.name === "BinaryExpr" && (node.getChild("Unless") ?? node.getChild("And")) !== null;
    for (let child = node.firstChild; child !== null; child = child.nextSibling) {
      visit(child, isFilter && child.nextSibling === null ? [] : below);
    }
  }

  visit(parser.parse(expression).topNode, []);
  return { metrics, leftOut };
}
