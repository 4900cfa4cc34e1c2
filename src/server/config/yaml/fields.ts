/** The fields of a mapping, with those that merge keys (`<<: *base`) bring along. */

import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import type { Finding, YamlSource } from "./source.ts";
import { describeFound } from "./value.ts";

export interface YamlField {
  readonly name: string;
  /** Where its name stands. */
  readonly offset: number;
  readonly value: unknown;
  /** Whether it comes from a merge key: a field of the mapping itself wins over it. */
  readonly merged: boolean;
}

/** Bounds the fields that are read: a file may have no end, or stand for more than fits the memory. */
export interface Budget {
  /** Fields that may still be read; a wrong one counts as many, since it takes that much longer. */
  left: number;
  /** Whether it was reported that none are left. */
  reported: boolean;
}

/** Fields that one file may stand for, all aliases and merges counted: more than its largest lists need. */
export const MAX_FIELDS = 500_000;
export const WRONG_FIELD = 100;
const MAX_MERGE_DEPTH = 100;

/**
 * Returns the fields of a mapping: its own first, then those of what it merges, in the order in which the first of a name
 * wins. Names that begin with `x-` are the file's own affair and left out.
 */
export function fieldsOf(map: YAMLMap, source: YamlSource, budget: Budget, findings: Finding[]): readonly YamlField[] {
  const fields: YamlField[] = [];
  const inside = new Set<YAMLMap>();

  const collect = (from: YAMLMap, merged: boolean): void => {
    inside.add(from);
    const named = new Map<string, number>();
    const merges: Pair[] = [];
    for (const pair of from.items) {
      budget.left -= 1;
      if (budget.left < 0) {
        const message = `is too much: wrong fields, aliases and merges stand for more than ${MAX_FIELDS.toLocaleString("en-US")} fields`;
        if (!budget.reported) findings.push({ offset: offsetOf(pair.key), field: "", message });
        budget.reported = true;
        return;
      }
      const key = source.resolve(pair.key);
      const offset = offsetOf(pair.key);
      if (isMergeKey(key)) {
        if (merges.length > 0) {
          const message = "<< is given twice; merge several mappings as one list: <<: [*a, *b]";
          findings.push({ offset, field: "", message });
        }
        merges.push(pair as Pair);
        continue;
      }
      const name = isScalar(key) ? String(key.value) : describeFound(key);
      if (name.startsWith("x-")) {
        const first = named.get(name);
        if (first === undefined) named.set(name, offset);
        else findings.push({ offset, field: "", message: givenTwice(name, first, source) });
      } else {
        fields.push({ name, offset, value: pair.value, merged });
      }
    }
    for (const pair of merges) merge(pair);
    inside.delete(from);
  };

  const merge = ({ key, value }: Pair): void => {
    const node = source.resolve(value);
    const offset = offsetOf(key);
    const sources = isSeq(node) ? node.items.map((item) => source.resolve(item)) : [node];
    for (const from of sources) {
      if (!isMap(from)) {
        const message = `<< must be a mapping or a list of mappings, such as *base, found ${describeFound(from)}`;
        findings.push({ offset, field: "", message });
      } else if (inside.has(from) || inside.size > MAX_MERGE_DEPTH) {
        const message = inside.has(from) ? "a mapping must not merge itself" : "merges are nested too deeply";
        findings.push({ offset, field: "", message });
      } else {
        collect(from, true);
      }
    }
  };

  collect(map, false);
  return fields;
}

export function givenTwice(name: string, first: number, source: YamlSource): string {
  return `${name === "" ? "" : `${name} `}is given twice, first on line ${source.positionAt(first).line}`;
}

/** Plain: in quotes it is a name like any other. Under YAML 1.1 the parser makes a symbol of it. */
function isMergeKey(key: Node | undefined): boolean {
  if (!isScalar(key)) return false;
  return typeof key.value === "symbol" || (key.value === "<<" && key.type === "PLAIN");
}

export function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}
