/** Variables of the environment in the values of the file, by the rules of Compose. */

/** Undefined: not set. */
export type Variables = Readonly<Record<string, string | undefined>>;

export type Interpolation =
  | { readonly kind: "text"; readonly text: string }
  /** `message` says what is wrong, and what to write. */
  | { readonly kind: "fault"; readonly message: string };

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
/** `:-`, `-`, `:?`, `?`, `:+`, `+`; with a colon an empty variable counts as unset. */
const OPERATOR = /^:?[-?+]/;

/** How deep defaults may stand in defaults. */
const MAX_DEPTH = 20;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`,
 * `${NAME:+other}` and `${NAME+other}`; what stands behind the operator may have such itself. `$$` is a dollar. A variable
 * that is not set and has no default is a fault. What `isKept` says of the text between braces stays as it is.
 */
export function interpolate(text: string, variables: Variables, isKept: IsKept = NEVER): Interpolation {
  try {
    return { kind: "text", text: expand(text, { variables, isKept }, 0) };
  } catch (thrown) {
    if (thrown instanceof Fault) return { kind: "fault", message: thrown.message };
    throw thrown;
  }
}

class Fault extends Error {}

type IsKept = (inside: string) => boolean;

interface Given {
  readonly variables: Variables;
  readonly isKept: IsKept;
}

const NEVER: IsKept = () => false;

function expand(text: string, given: Given, depth: number): string {
  let done = "";
  let rest = text;
  for (let at = rest.indexOf("$"); at !== -1; at = rest.indexOf("$")) {
    done += rest.slice(0, at);
    rest = rest.slice(at + 1);
    const [bare] = NAME.exec(rest) ?? [];
    if (rest.startsWith("$")) {
      done += "$";
      rest = rest.slice(1);
    } else if (rest.startsWith("{")) {
      const end = closingBrace(rest);
      if (end === -1) throw new Fault(`has a \${ without its }; write $$ for a dollar`);
      const inside = rest.slice(1, end);
      done += given.isKept(inside) ? `\${${inside}}` : replacementOf(inside, given, depth);
      rest = rest.slice(end + 1);
    } else if (bare !== undefined) {
      done += required(bare, given.variables);
      rest = rest.slice(bare.length);
    } else {
      throw new Fault(`has a $ that begins no variable; write $$ for a dollar, or \${NAME}`);
    }
  }
  return done + rest;
}

/** What stands between the braces. */
function replacementOf(expression: string, given: Given, depth: number): string {
  const { variables } = given;
  const [name] = NAME.exec(expression) ?? [];
  const [operator] = OPERATOR.exec(expression.slice(name?.length)) ?? [];
  const isWhole = name === expression;
  if (name === undefined || !(isWhole || operator !== undefined)) {
    throw new Fault(`has a \${…} that is none of \${NAME}, \${NAME:-default}, \${NAME:?message} and \${NAME:+other}`);
  }
  if (depth > MAX_DEPTH) throw new Fault(`has defaults within defaults, more than ${MAX_DEPTH} deep`);
  if (operator === undefined) return required(name, variables);
  const operand = () => expand(expression.slice(name.length + operator.length), given, depth + 1);
  const value = own(variables, name);
  const isThere = operator.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
  switch (operator.at(-1)) {
    case "-":
      return isThere ? (value as string) : operand();
    case "+":
      return isThere ? operand() : "";
    default: {
      if (isThere) return value as string;
      const message = operand();
      throw new Fault(
        `needs the variable ${name}, which is ${emptyOrUnset(value)}${message && `: ${message.replaceAll(/\p{Cc}/gu, " ")}`}`,
      );
    }
  }
}

function required(name: string, variables: Variables): string {
  const value = own(variables, name);
  if (value !== undefined) return value;
  throw new Fault(`needs the variable ${name}, which is not set; set it, or give a default: \${${name}:-default}`);
}

function own(variables: Variables, name: string): string | undefined {
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

function emptyOrUnset(value: string | undefined): string {
  return value === undefined ? "not set" : "empty";
}

/** Of the brace with which the text begins; -1: there is none. */
function closingBrace(text: string): number {
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "{" && (at === 0 || text[at - 1] === "$")) open += 1;
    else if (text[at] === "}") open -= 1;
    if (open === 0) return at;
  }
  return -1;
}
