/** The files of TLS while the server runs: read at the start, and again whenever they change. */

import type { Clock } from "../clock.ts";
import type { TlsFiles } from "../config/settings.ts";
import { watchPath } from "../config/watch/watch-path.ts";
import type { Log } from "../log.ts";
import type { TlsMaterial } from "../transport/port/tls-material.ts";
import { type MaterialReading, readMaterial } from "./read-material.ts";

export interface TlsFilesWatch {
  /** What is in force. */
  readonly material: TlsMaterial;
  readonly figures: TlsFigures;
  /** The one listener that is called each time when other material is in force. */
  onChange(listener: () => void): void;
  /** Reads the files at once. */
  reload(): void;
  close(): void;
}

export interface TlsFigures {
  /** ms since 1970: until when the certificate in force is good. */
  readonly notAfter: number;
  /** Whether the files that were read last can be used. */
  readonly lastReadTaken: boolean;
  /** How many times files have changed and could not be used. */
  readonly failures: number;
}

export interface TlsFilesOptions {
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly log: Log;
}

type Read = Extract<MaterialReading, { kind: "read" }>;

/** µs without news after which files are read: certificate and key are written one after the other. */
const QUIET = 200_000;

/** Rejects with one sentence where the files cannot be used. */
export async function openTlsFiles({ files, clock, log }: TlsFilesOptions): Promise<TlsFilesWatch> {
  const paths = [files.certFile, files.keyFile, files.clientCaFile, files.clientCrlFile].filter(
    (path) => path !== undefined,
  );
  const read = () => readMaterial(files, clock.wallTime(clock.now()));
  let onChange = () => {};
  let closed = false;
  let callOff = () => {};
  let failures = 0;
  let reported = "";
  /** The reading that is under way; another is asked for when it is over. */
  let reading = false;
  let asked = false;
  // Before they are read, so that no change is missed.
  const watches = paths.map((path) =>
    watchPath(path, {
      onNews: lookSoon,
      onError: (error) =>
        log.warn(
          { event: "tls-not-watched", path, error: error.message },
          "cannot watch a file of TLS; SIGHUP makes the server read it",
        ),
    }),
  );

  const first = await read();
  if (first.kind === "unusable") {
    close();
    throw new Error(first.problem);
  }
  let material: TlsMaterial = { ...first.material, generation: 1 };
  let { notAfter } = first.certificate;
  sayTaken(first);

  /** `changed`: what is another than before; unset: nothing was there. */
  function sayTaken({ certificate, material: { clientCa } }: Read, changed?: readonly string[]): void {
    const about = { ...certificate, clientCertificates: clientCa !== undefined, ...(changed && { changed }) };
    log.info({ event: "tls-taken-up", ...about }, "TLS is spoken with this certificate");
  }

  function lookSoon(): void {
    if (closed) return;
    callOff();
    callOff = clock.schedule(clock.now() + QUIET, false, () => void look());
  }

  async function look(): Promise<void> {
    asked = true;
    if (reading) return;
    reading = true;
    while (asked && !closed) {
      asked = false;
      for (const watch of watches) watch.follow();
      take(await read());
    }
    reading = false;
  }

  function take(next: MaterialReading): void {
    if (closed) return;
    if (next.kind === "unusable") {
      if (next.problem === reported) return;
      reported = next.problem;
      failures += 1;
      log.error(
        { event: "tls-refused", problem: next.problem, failures },
        "the files of TLS have changed and cannot be used; what is in force stays",
      );
      return;
    }
    reported = "";
    const { cert, key, clientCa, clientCrl } = next.material;
    const changed = [
      ...(cert === material.cert ? [] : ["cert_file"]),
      ...(key.reveal() === material.key.reveal() ? [] : ["key_file"]),
      ...(clientCa === material.clientCa ? [] : ["client_ca_file"]),
      ...(clientCrl === material.clientCrl ? [] : ["client_crl_file"]),
    ];
    if (changed.length === 0) return;
    material = { ...next.material, generation: material.generation + 1 };
    notAfter = next.certificate.notAfter;
    sayTaken(next, changed);
    onChange();
  }

  function close(): void {
    closed = true;
    callOff();
    for (const watch of watches) watch.close();
  }

  return {
    get material() {
      return material;
    },
    get figures() {
      return { notAfter: Date.parse(notAfter), lastReadTaken: reported === "", failures };
    },
    onChange(listener) {
      onChange = listener;
    },
    reload: () => void look(),
    close,
  };
}
