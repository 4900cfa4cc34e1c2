/** How the server stands, and its settings, in words. */

/** What is read here of `GetConfigResponse` in JSON. */
interface Known {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly origins?: readonly { readonly field: string; readonly origin?: string; readonly variable?: string }[];
}

interface Status {
  readonly draining?: boolean;
  /** As of the server's clock, as `readTime` is. */
  readonly learningEndTime?: string;
  readonly storeProblem?: string;
}

/** `health`: what `grpc.health.v1` says; undefined: not known yet. `readTime`: when the status was read. */
export function serverSentence(
  health: string | undefined,
  { draining = false, learningEndTime, storeProblem = "" }: Status = {},
  readTime?: string,
): { readonly isWell: boolean; readonly words: string } {
  if (storeProblem !== "")
    return { isWell: false, words: `The data folder takes nothing, and nothing is granted: ${storeProblem}` };
  if (draining)
    return { isWell: false, words: "The server is about to stop: it finishes what is held, and admits nothing new." };
  const learningFor = learningEndTime && readTime ? Date.parse(learningEndTime) - Date.parse(readTime) : 0;
  if (learningFor > 0) {
    const seconds = Math.ceil(learningFor / 1_000);
    return {
      isWell: false,
      words: `The server grants nothing for ${seconds} s more: it may not know every lease from before its start.`,
    };
  }
  if (health === "NOT_SERVING") return { isWell: false, words: "The server does not serve." };
  return { isWell: true, words: "The server serves." };
}

export interface Setting {
  readonly field: string;
  readonly value: string;
  /** Where its value comes from. */
  readonly from: string;
}

/** Returns all settings by the path of their field, as the file writes it. */
export function settingsOf({ config = {}, origins = [] }: Known): readonly Setting[] {
  const from = new Map(origins.map((origin) => [origin.field, originWords(origin)]));
  return flatten(config, "").map(([field, value]) => ({ field, value, from: from.get(field) ?? "default" }));
}

function originWords({ origin, variable = "" }: { readonly origin?: string; readonly variable?: string }): string {
  switch (origin) {
    case "ORIGIN_FILE":
      return "the file";
    case "ORIGIN_ENVIRONMENT":
      return variable;
    case "ORIGIN_OPTION":
      return variable;
    default:
      return "";
  }
}

function flatten(value: Readonly<Record<string, unknown>>, path: string): [string, string][] {
  return Object.entries(value).flatMap(([name, part]): [string, string][] => {
    const field = `${path}${inFile(name)}`;
    if (isMessage(part)) return flatten(part, `${field}.`);
    return [[field, Array.isArray(part) ? part.map(wordsOf).join(", ") : wordsOf(part)]];
  });
}

/** As the file writes it. */
function wordsOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(wordsOf).join(", ")}]`;
  if (!isMessage(value)) return String(value).replace(ENUM, (_, word: string) => word.toLowerCase());
  const fields = Object.entries(value).map(([name, part]) => `${inFile(name)}: ${wordsOf(part)}`);
  return `{ ${fields.join(", ")} }`;
}

/** What stands before the words of an enumeration in JSON. */
const ENUM = /^(?:LOG_LEVEL|DURABILITY|ACCESS_VERB)_(\w+)$/;

function inFile(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function isMessage(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
