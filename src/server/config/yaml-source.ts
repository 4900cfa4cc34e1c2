/** A YAML file as nodes that know where they stand: the only file that knows the parser's options and errors. */

import { isAlias, isCollection, isNode, isPair, LineCounter, type Node, parseAllDocuments, type YAMLError } from "yaml";

export interface YamlSource {
  /** What each document of the file holds; one that is empty is left out. */
  readonly roots: readonly Node[];
  /** What stands at a node: an alias is what it stands for. */
  resolve(node: unknown): Node | undefined;
  positionAt(offset: number): { readonly line: number; readonly column: number };
}

/** Something wrong at an offset of the text. */
export interface Finding {
  readonly offset: number;
  readonly field: string;
  readonly message: string;
}

/** Reads text as YAML 1.2. Where there are findings, what else there is may be anything. */
export function parseYaml(text: string): { readonly source: YamlSource; readonly findings: readonly Finding[] } {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Looked for by whoever reads the fields: the parser compares each key with all before it.
    uniqueKeys: false,
  });
  const findings: Finding[] = [];
  const targets = new Map<Node, Node>();
  const roots: Node[] = [];
  // Without any document the result is an array of another type.
  for (const document of [...documents]) {
    for (const error of [...document.errors, ...document.warnings]) findings.push(syntaxFinding(error));
    if (document.contents === null) continue;
    resolveAliases(document.contents, targets, findings);
    roots.push(document.contents);
  }
  const source: YamlSource = {
    roots,
    resolve: (node) => (isAlias(node) ? targets.get(node) : isNode(node) ? node : undefined),
    positionAt(offset) {
      const { line, col } = lines.linePos(offset);
      return line === 0 ? { line: 1, column: 1 } : { line, column: col };
    },
  };
  return { source, findings };
}

function syntaxFinding(error: YAMLError): Finding {
  const message = error.code === "RESOURCE_EXHAUSTION" ? "is nested too deeply" : error.message;
  return { offset: error.pos[0], field: "", message };
}

/** A node with an anchor, and how many aliases had been met when it began and ended. */
interface Anchored {
  readonly node: Node;
  readonly aliasesBefore: number;
  aliasesAfter: number | undefined;
}

/**
 * Notes what each alias of a document stands for. An alias of something that contains aliases is refused: a few lines
 * of those can stand for more than a machine holds, and for themselves.
 */
function resolveAliases(root: Node, targets: Map<Node, Node>, findings: Finding[]): void {
  const anchors = new Map<string, Anchored>();
  let aliases = 0;
  // Not recursive: the depth is the file's. An `Anchored` on the stack marks the end of its node.
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const item = stack.pop();
    if (isPair(item)) {
      stack.push(item.value, item.key);
    } else if (isAlias(item)) {
      aliases += 1;
      const offset = item.range?.[0] ?? 0;
      const anchored = anchors.get(item.source);
      if (anchored === undefined) {
        findings.push({ offset, field: "", message: `no anchor &${item.source} stands before this alias` });
      } else if (anchored.aliasesAfter !== anchored.aliasesBefore) {
        findings.push({ offset, field: "", message: "an alias must not stand for something that contains aliases" });
      } else {
        targets.set(item, anchored.node);
      }
    } else if (isNode(item)) {
      if ("anchor" in item && typeof item.anchor === "string") {
        const anchored: Anchored = { node: item, aliasesBefore: aliases, aliasesAfter: undefined };
        anchors.set(item.anchor, anchored);
        stack.push(anchored);
      }
      if (isCollection(item)) for (const child of item.items.toReversed()) stack.push(child);
    } else if (isAnchored(item)) {
      item.aliasesAfter = aliases;
    }
  }
}

function isAnchored(item: unknown): item is Anchored {
  return typeof item === "object" && item !== null && "aliasesBefore" in item;
}
