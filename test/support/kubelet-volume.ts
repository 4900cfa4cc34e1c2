/** A folder as kubelet mounts a secret or a projected token: its files are links through `..data`, which is swapped when they change. */

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface KubeletVolume extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Replaces all files at once. */
  write(files: Readonly<Record<string, string>>): void;
}

/** The names of the files stay the same. */
export function createKubeletVolume(files: Readonly<Record<string, string>>): KubeletVolume {
  const path = mkdtempSync(join(tmpdir(), "backpressure-volume-"));
  const data = join(path, "..data");
  let versions = 0;

  function write(texts: Readonly<Record<string, string>>): void {
    versions += 1;
    const folder = `..version-${versions}`;
    mkdirSync(join(path, folder));
    for (const [name, text] of Object.entries(texts)) {
      writeFileSync(join(path, folder, name), text);
      chmodSync(join(path, folder, name), 0o600);
    }
    const before = versions === 1 ? undefined : readlinkSync(data);
    symlinkSync(folder, `${data}_tmp`);
    renameSync(`${data}_tmp`, data);
    if (before !== undefined) rmSync(join(path, before), { recursive: true });
  }

  write(files);
  for (const name of Object.keys(files)) symlinkSync(join("..data", name), join(path, name));
  return { path, write, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
