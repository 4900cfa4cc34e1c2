/** What this process learns from its environment: the only file of the command line that reads `process.env`. */

import { hostname, userInfo } from "node:os";

/** The variable that names the server where no flag does. */
export const ADDRESS_VARIABLE = "BACKPRESSURE_ADDRESS";

/** The variable that names the board where no flag does: a command that runs for a card finds its board there. */
export const BOARD_VARIABLE = "BACKPRESSURE_BOARD";

/** Variables that stand for flags of the connection. */
export const CREDENTIAL_VARIABLES = {
  caFile: "BACKPRESSURE_CA_FILE",
  certFile: "BACKPRESSURE_CERT_FILE",
  keyFile: "BACKPRESSURE_KEY_FILE",
  serverName: "BACKPRESSURE_SERVER_NAME",
  tokenFile: "BACKPRESSURE_TOKEN_FILE",
} as const;

/** Returns what they say; an empty one says nothing. */
export function credentialVariables(): Partial<Record<keyof typeof CREDENTIAL_VARIABLES, string>> {
  const said = Object.entries(CREDENTIAL_VARIABLES).map(([flag, name]) => [flag, process.env[name]] as const);
  return Object.fromEntries(said.filter(([, value]) => value));
}

/** The board where nothing names one: that of the default configuration. */
export const DEFAULT_BOARD = "default";

/** Returns the variable's value; undefined: it is not set, or empty. */
export function variable(name: typeof ADDRESS_VARIABLE | typeof BOARD_VARIABLE): string | undefined {
  return process.env[name] || undefined;
}

/** Variables for a command that is run; undefined: not set. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** This process's variables, with these set or unset. */
export function environmentWith(variables: Variables): NodeJS.ProcessEnv {
  return { ...process.env, ...variables };
}

/** Whether the environment names the server; an empty variable names none. */
export function addressIsSet(): boolean {
  return Boolean(process.env[ADDRESS_VARIABLE]);
}

/** Whether the terminal can do more than print line after line. */
export function terminalIsDumb(): boolean {
  return process.env.TERM === "dumb";
}

/** Whether the terminal may be written to in colours (no-color.org). */
export function coloursAreWanted(): boolean {
  return !process.env.NO_COLOR;
}

/** Returns the default name of a holder or worker, for operators: `alice@build-7`. */
export function userAtHost(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container the user may have a number and no name.
    return process.env.USER ?? "unknown";
  }
}
