/** The configurations of docs/proxies.md. */

import { readFileSync } from "node:fs";
import { readFences } from "../../readme/support/fences.ts";
import type { ProxyKind } from "./kinds.ts";

const PAGE = readFileSync(new URL("../../../docs/proxies.md", import.meta.url), "utf8");

/** Returns the whole configuration of this proxy, as the page has it. */
export function pageConfig({ file }: ProxyKind): string {
  const blocks = readFences(PAGE).filter(({ name }) => name === file);
  const [block] = blocks;
  if (block === undefined || blocks.length > 1) throw new Error(`docs/proxies.md has ${blocks.length} blocks ${file}`);
  return block.text;
}

/** Returns the configuration without what matches, as it is before its operator has read the page. */
export function without(config: string, ...lines: readonly RegExp[]): string {
  return lines.reduce((text, line) => {
    const rest = text.replace(new RegExp(line, `${line.flags}g`), "");
    if (rest === text) throw new Error(`nothing in the configuration matches ${line}`);
    return rest;
  }, config);
}
