/** How this process shows servers who calls: what the flags and the environment say, for all its connections. */

import { readFileSync } from "node:fs";
import type { ConnectOptions } from "../../client/index.ts";
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

/** Read anew each time when a token is wanted: what Kubernetes mounts changes. */
function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`--token-file ${path} cannot be read: ${code ?? message}`);
  }
}
