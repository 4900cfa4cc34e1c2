/** The manifests of ops/kubernetes, and whether Kubernetes's API takes them. */

import { globSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { parseAllDocuments } from "yaml";
import { OPS, readOps } from "./rules.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Files that are no objects of a cluster: kustomize's own, and the server's configuration. */
const OTHERS = ["kustomization.yaml", "backpressure.yaml"];

export function readManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw new Error(document.errors.map(String).join("\n"));
    return document.toJS();
  });
}

/** Every object, file by file. */
export const MANIFESTS: readonly Manifest[] = globSync("kubernetes/**/*.yaml", { cwd: OPS })
  .filter((path) => !OTHERS.some((name) => path.endsWith(name)))
  .toSorted()
  .flatMap((path) => readManifests(readOps(path)));

export function manifest<T extends Manifest>(kind: T["kind"]): T {
  const found = MANIFESTS.find((each) => each.kind === kind);
  if (found === undefined) throw new Error(`ops/kubernetes has no ${kind}`);
  return found as T;
}

/**
 * Returns what is wrong with objects: fields that there are not and values of another type, which the compiler finds against
 * the types of the API, and values out of their bounds, which its schemas find.
 */
export async function problemsOf(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const bySchema = await Promise.all(manifests.map(brokenBounds));
  return [...compilerErrors(manifests), ...bySchema.flat()];
}

/** Where the types and the schema of a kind are. */
function modelOf({ apiVersion, kind }: Manifest): string {
  const home = apiVersion.startsWith("monitoring.coreos.com/")
    ? "@kubernetes-models/prometheus-operator"
    : "kubernetes-models";
  return `${home}/${apiVersion}/${kind}`;
}

async function brokenBounds(object: Manifest): Promise<readonly string[]> {
  const { [object.kind]: Model } = (await import(modelOf(object))) as Record<
    string,
    new (
      data: Manifest,
    ) => { validate(): void }
  >;
  if (Model === undefined) return [`there is no ${object.apiVersion} ${object.kind}`];
  try {
    new Model(object).validate();
    return [];
  } catch (error) {
    return [`${object.kind}: ${(error as Error).message}`];
  }
}

/** As literals of a program each object may have the fields of its type alone. */
function compilerErrors(manifests: readonly Manifest[]): readonly string[] {
  const path = join(ROOT, "test/ops/manifests-of-this-run.ts");
  const program = manifests
    .map(
      (object, index) =>
        `import type { I${object.kind} as Kind${index} } from ${JSON.stringify(modelOf(object))};\n` +
        `export const object${index}: Kind${index} = ${JSON.stringify(object)};\n`,
    )
    .join("");
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === path ? ts.createSourceFile(name, program, ts.ScriptTarget.ES2022) : getSourceFile(name, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([path], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}
