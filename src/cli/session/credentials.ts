/** How this process shows servers who calls: what the flags and the environment say, for all its connections. */

import { readFileSync } from "node:fs";
import type { ConnectOptions } from "../../client/index.ts";
import { expiryOf, isToken } from "../../client/rpc/credentials.ts";
import type { PinnedTlsOptions } from "../../client/transport/tls-connection.ts";
import { UsageError } from "./failure.ts";

export interface CredentialFlags {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly tokenFile?: string;
}

export type ConnectionCredentials = Pick<ConnectOptions, "tls" | "token">;

let current: ConnectionCredentials = {};

/** Sets what all connections from here on are made with. */
export function useCredentials({ caFile, certFile, keyFile, serverName, tokenFile }: CredentialFlags): void {
  const tls = { caFile, certFile, keyFile, serverName };
  const hasTls = Object.values(tls).some((value) => value !== undefined);
  current = {
    ...(hasTls && { tls }),
    ...(tokenFile !== undefined && { token: () => readToken(tokenFile) }),
  };
}

/** Trusts the certificate in this file where no flag says whom to trust: that of a server beside which this process runs. */
export function trustCertificate(pinnedFile: string): void {
  if (current.tls?.caFile !== undefined) return;
  const tls: PinnedTlsOptions = { ...current.tls, pinnedFile };
  current = { ...current, tls };
}

export function credentials(): ConnectionCredentials {
  return current;
}

/** What this process shows a server. */
export interface Shown {
  readonly token: boolean;
  readonly certificate: boolean;
  /** ms since 1970; undefined: the token does not say. */
  readonly tokenEndsAt: number | undefined;
}

export async function shownCredentials(): Promise<Shown> {
  const { token, tls } = current;
  const text = typeof token === "function" ? await token() : token;
  return {
    token: text !== undefined,
    certificate: tls?.certFile !== undefined,
    tokenEndsAt: text === undefined ? undefined : expiryOf(text),
  };
}

/** Read anew each time when a token is wanted: what Kubernetes mounts changes. */
function readToken(path: string): string {
  const token = textOf(path).trim();
  if (isToken(token)) return token;
  const what = token === "" ? "is empty" : "has something else than a token, which is one word without spaces";
  throw new UsageError(`--token-file ${path} ${what}; what is in it is not shown here`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`--token-file ${path} cannot be read: ${WORDS[code ?? ""] ?? code ?? message}`);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EISDIR: "it is a folder",
};
