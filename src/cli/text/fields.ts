/** One thing for people: a name and a value a line. */

import { printable, textWidth } from "./width.ts";

export type Field = readonly [name: string, value: string];

/** The lines, values below one another. */
export function formatFields(fields: readonly Field[]): string[] {
  const width = Math.max(...fields.map(([name]) => textWidth(name)));
  return fields.map(([name, value]) => `${name}${" ".repeat(width - textWidth(name))}  ${printable(value)}`.trimEnd());
}
