/** A YAML file as nodes that know where they stand: the only file that knows the parser's options and errors. */

import {
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLError,
} from "yaml";

export interface YamlSource {
  /** What the file holds; undefined: nothing. */
  readonly root: Node | undefined;
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
    // Looked for where the fields are read: the parser compares each key with all before it.
    uniqueKeys: false,
  });
  const findings: Finding[] = [];
  const targets = new Map<Node, Node>();
  let root: Node | undefined;
  // Without any document the result is an array of another type.
  for (const document of [...documents]) {
    const errors = [...document.errors, ...document.warnings];
    const variable = unquotedVariable(text, errors);
    findings.push(...(variable === undefined ? errors.map(syntaxFinding) : [variable]));
    if (document.contents === null) continue;
    // An empty document before or behind the only one is a matter of style.
    if (root !== undefined && !isEmpty(document.contents)) {
      const { line } = lines.linePos(root.range?.[0] ?? 0);
      const message =
        `begins a second document, after that of line ${line}; a configuration is one document: ` +
        "take the line --- between them out, and give each section once";
      findings.push({ offset: document.contents.range?.[0] ?? 0, field: "", message });
      break;
    }
    resolveAliases(document.contents, targets, findings);
    if (root === undefined && !isEmpty(document.contents)) root = document.contents;
  }
  const source: YamlSource = {
    root,
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

/** In flow style the brace of `${NAME}` begins a mapping, and all that follows is an error. */
function unquotedVariable(text: string, errors: readonly YAMLError[]): Finding | undefined {
  const [first] = errors;
  const at = first === undefined ? -1 : text.lastIndexOf("${", first.pos[1]);
  if (first === undefined || at === -1 || first.pos[0] - at > 1 || first.code === "RESOURCE_EXHAUSTION")
    return undefined;
  const message = `a variable between { } or [ ] stands in quotes: "\${NAME}"`;
  return { offset: at, field: "", message };
}

/** Notes what each alias of a document stands for. What they stand for together is bounded where the fields are read. */
function resolveAliases(root: Node, targets: Map<Node, Node>, findings: Finding[]): void {
  const anchors = new Map<string, Node>();
  // Not recursive: the depth is the file's.
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const item = stack.pop();
    if (isPair(item)) {
      stack.push(item.value, item.key);
    } else if (isAlias(item)) {
      const anchored = anchors.get(item.source);
      if (anchored !== undefined) {
        targets.set(item, anchored);
      } else {
        const message = `no anchor &${item.source} stands before this alias`;
        findings.push({ offset: item.range?.[0] ?? 0, field: "", message });
      }
    } else if (isNode(item)) {
      if ("anchor" in item && typeof item.anchor === "string") anchors.set(item.anchor, item);
      if (isCollection(item)) for (const child of item.items.toReversed()) stack.push(child);
    }
  }
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null;
}
