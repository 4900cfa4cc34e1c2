/**
 * All that is wrong with one configuration, as it is found: each problem at its place, and none that follows from another; and
 * what is valid, but has no effect.
 */

import type { FieldViolation } from "../wire/error-wire.ts";
import type { Override } from "./environment.ts";
import { inOrder, type Place, type Problem } from "./problem.ts";
import type { FieldPlace } from "./yaml/message.ts";
import type { Finding, YamlSource } from "./yaml/source.ts";
import { describeFound, isCollection, quote } from "./yaml/value.ts";

export interface ComplaintsOptions {
  /** The file's name for people. */
  readonly path: string;
  readonly source: YamlSource;
  readonly places: ReadonlyMap<string, FieldPlace>;
  /** By the path of the field that each stands for. */
  readonly variables: ReadonlyMap<string, Override>;
}

export class Complaints {
  readonly #options: ComplaintsOptions;
  readonly #problems: Problem[] = [];
  readonly #notes: Problem[] = [];
  readonly #faulty = new Set<string>();
  /** The faulty fields, and all that contain them. */
  readonly #affected = new Set<string>();

  /** `findings`: what the reader of the file has found. */
  constructor(options: ComplaintsOptions, findings: readonly Finding[]) {
    this.#options = options;
    for (const { offset, field, message } of findings) this.#add({ place: this.#position(offset), field, message });
  }

  /** All problems, in the order of the file. */
  get problems(): readonly Problem[] {
    return inOrder(this.#problems);
  }

  /** What is valid and has no effect, in the order of the file. */
  get notes(): readonly Problem[] {
    return inOrder(this.#notes);
  }

  /** Notes that a field, if it is given, has no effect beside the others. */
  note(field: string, message: string): void {
    if (this.#isGiven(field)) this.#notes.push({ place: this.#placeOf(field), field, message });
  }

  /** Whether a field, one of its parts or one of its containers is faulty. */
  concern(field: string): boolean {
    return this.#affected.has(field) || pathsTo(field).some((path) => this.#faulty.has(path));
  }

  /** Adds a fault of a field, whether its value is from the file or from a variable. */
  fault(field: string, message: string): void {
    this.#add({ place: this.#placeOf(field), field, message });
  }

  /** Adds the rules that fields break, but for those that may follow from a fault that is known already. */
  violations(violations: readonly FieldViolation[]): void {
    const news = violations.filter(({ field }) => !this.concern(field) && !this.#mayBeMisspelt(field));
    for (const { field, description } of news) this.fault(field, `${description}${this.#foundAt(field)}`);
  }

  /** Returns the line of a field that stands in the file. */
  lineOf(field: string): number {
    return this.#options.source.positionAt(this.#options.places.get(field)?.offset ?? 0).line;
  }

  #add(problem: Problem): void {
    this.#problems.push(problem);
    this.#faulty.add(problem.field);
    for (const path of pathsTo(problem.field)) this.#affected.add(path);
  }

  /** Whether a missing field may be one beside it that could not be read. */
  #mayBeMisspelt(field: string): boolean {
    return !this.#isGiven(field) && this.#affected.has(pathsTo(field).at(-2) ?? "");
  }

  #isGiven(field: string): boolean {
    return this.#options.places.has(field) || this.#options.variables.has(field);
  }

  #foundAt(field: string): string {
    const variable = this.#options.variables.get(field);
    if (variable !== undefined) return `, found ${quote(variable.value)}`;
    const node = this.#options.places.get(field)?.node;
    return isCollection(node) ? "" : `, found ${describeFound(node)}`;
  }

  /** Returns the place of a field; if it is not given, that of the nearest container that is. */
  #placeOf(field: string): Place {
    const variable = this.#options.variables.get(field);
    if (variable !== undefined) return { kind: "variable", name: variable.variable };
    const given = pathsTo(field).findLast((path) => this.#options.places.has(path)) ?? "";
    return this.#position(this.#options.places.get(given)?.offset ?? 0);
  }

  #position(offset: number): Place {
    return { kind: "position", path: this.#options.path, ...this.#options.source.positionAt(offset) };
  }
}

/** Returns the paths that lead to a field. `limiters[1].ttl`: the empty path, `limiters`, `limiters[1]`, and itself. */
function pathsTo(field: string): readonly string[] {
  const ends = [...field.matchAll(/(?=[.[])|$/g)].map(({ index }) => index);
  return [...new Set(["", ...ends.map((end) => field.slice(0, end))])];
}
