/** Gets the public keys of an issuer: from its URL, or from a file. */

import { readFile, stat } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { JSONWebKeySet } from "jose";
import type { KeySource } from "../../config/auth-settings.ts";

/** ms for an answer, bytes of one, and keys in it. */
const TIMEOUT = 5_000;
const MAX_BYTES = 256 << 10;
const MAX_KEYS = 200;

/** Rejects with a sentence. Symmetric keys are left out: with a public one as their secret anybody could sign. */
export async function loadKeys(source: KeySource): Promise<JSONWebKeySet> {
  const text = source.kind === "file" ? await readBounded(source.path) : await fetchBounded(source);
  let keys: unknown;
  try {
    ({ keys } = JSON.parse(text) as { readonly keys?: unknown });
  } catch {
    throw new Error("it is no JSON");
  }
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw new Error(`it is no set of at most ${MAX_KEYS} keys`);
  return { keys: keys.filter(isPublic) };
}

function isPublic(key: unknown): key is JSONWebKeySet["keys"][number] {
  const { kty } = (key ?? {}) as { readonly kty?: unknown };
  return kty === "RSA" || kty === "EC" || kty === "OKP";
}

async function readBounded(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
  return readFile(path, "utf8");
}

async function fetchBounded({ url, caFile, bearerFile }: Extract<KeySource, { kind: "url" }>): Promise<string> {
  // Read anew each time: Kubernetes renews what it mounts.
  const ca = caFile === undefined ? undefined : await readFile(caFile, "latin1");
  const bearer = bearerFile === undefined ? undefined : (await readFile(bearerFile, "utf8")).trim();
  const headers = { accept: "application/json", ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) };
  const begin = url.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT);
    const request = begin(url, { headers, signal, agent: false, ...(ca !== undefined && { ca }) }, (response) => {
      const { statusCode } = response;
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("error", reject);
      if (statusCode !== 200) {
        response.resume();
        reject(new Error(`it answers with the status ${statusCode}`));
        return;
      }
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) response.destroy(new Error(`it is larger than ${MAX_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
    request.on("error", (error) =>
      reject(signal.aborted ? new Error(`it has not answered within ${TIMEOUT} ms`) : error),
    );
    request.end();
  });
}
