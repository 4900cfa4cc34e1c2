/** ops/grafana.json, as its tests read it. */

import { readOps } from "./rules.ts";

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly datasource: Datasource;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: Datasource;
  readonly targets?: readonly Target[];
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
}

interface Datasource {
  readonly type: string;
  readonly uid: string;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
  readonly panels: readonly Panel[];
}

export const TEXT = readOps("grafana.json");
export const DASHBOARD: Dashboard = JSON.parse(TEXT);

/** A query of the dashboard, as Grafana sends it to Prometheus: with what its variables stand for. */
export interface Query {
  readonly from: string;
  readonly expr: string;
  readonly legend: string;
}

/** Every query: of panels, of annotations, and of the variables themselves. */
export const QUERIES: readonly Query[] = [
  ...DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr, legendFormat = "" }) => ({
      from: `${title}, ${refId}`,
      expr: filledIn(expr),
      legend: legendFormat,
    })),
  ),
  ...DASHBOARD.annotations.list.map(({ name, expr }) => ({ from: name, expr: filledIn(expr), legend: "" })),
  ...DASHBOARD.templating.list
    .filter(({ type }) => type === "query")
    .map((variable) => ({ from: `$${variable.name}`, expr: filledIn(selectorOf(variable)), legend: "" })),
];

/** `label_values(selector, label)` is no PromQL: a sum of the selector by the label asks the same of it. */
function selectorOf({ name, query }: Variable): string {
  const text = typeof query === "string" ? query : query.query;
  const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
  if (selector === undefined) throw new Error(`the query of $${name} is not label_values(selector, label): ${text}`);
  return `sum by (${label}) (${selector})`;
}

function filledIn(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$__range", "1h")
    .replaceAll(/"\$(\w+)"/g, (_, name: string) => {
      if (!DASHBOARD.templating.list.some((variable) => variable.name === name))
        throw new Error(`no variable $${name}`);
      return '".+"';
    })
    .replaceAll(/(\w+)=("\.\+")/g, "$1=~$2");
}
