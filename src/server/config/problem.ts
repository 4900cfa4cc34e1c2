/** What is wrong with a configuration, and where. */

export interface Problem {
  readonly place: Place;
  /** The field's path, as `limiters[1].max_rps`; empty: no field in particular. */
  readonly field: string;
  /** What was expected, and what was found instead. */
  readonly message: string;
}

export type Place =
  | { readonly kind: "file"; readonly path: string }
  /** Line and column count from 1. */
  | { readonly kind: "position"; readonly path: string; readonly line: number; readonly column: number }
  | { readonly kind: "variable"; readonly name: string };

/** The most that one look at a configuration reports; more is said in a sentence. */
const MAX_PROBLEMS = 100;

/** A problem in one line: `backpressure.yaml:12:5: limiters[1].max_rps: must be …`. */
export function formatProblem({ place, field, message }: Problem): string {
  return [formatPlace(place), field, message].filter((part) => part !== "").join(": ");
}

/** Problems as they stand in the file, first those of no line; the first hundred of them. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const sorted = problems.toSorted(({ place: a }, { place: b }) => lineOf(a) - lineOf(b) || columnOf(a) - columnOf(b));
  const [last] = sorted.splice(MAX_PROBLEMS);
  if (last === undefined) return sorted;
  const left = problems.length - MAX_PROBLEMS;
  return [...sorted, { place: last.place, field: "", message: `${left} more from here on` }];
}

function formatPlace(place: Place): string {
  switch (place.kind) {
    case "file":
      return place.path;
    case "position":
      return `${place.path}:${place.line}:${place.column}`;
    case "variable":
      return place.name;
  }
}

function lineOf(place: Place): number {
  return place.kind === "position" ? place.line : 0;
}

function columnOf(place: Place): number {
  return place.kind === "position" ? place.column : 0;
}
