/**
 * Notices that what a path leads to may have changed: by a write, a rename over it, its deletion, or another target of
 * a symbolic link on the way, which is how Kubernetes changes a mounted ConfigMap.
 *
 * Watching the file itself would watch what lies there now, and miss what is put in its place: so folders are watched,
 * each in which a name on the way stands.
 */

import { type FSWatcher, lstatSync, readlinkSync, watch } from "node:fs";
import { basename, dirname, isAbsolute, join, parse, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";

export interface PathWatch {
  /** Watches the folders on the way as it is now. Any change after this call is reported. */
  follow(): void;
  close(): void;
}

export interface PathListener {
  /** Something may have changed; called many times for one change. */
  readonly onNews: () => void;
  /** A folder cannot be watched: changes there are missed. */
  readonly onError: (error: Error) => void;
}

/** Watches from the start; the process does not live for it. */
export function watchPath(path: string, { onNews, onError }: PathListener): PathWatch {
  let watchers: readonly FSWatcher[] = [];

  function open(folder: string, names: ReadonlySet<string>): FSWatcher[] {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // A folder that is itself moved or deleted says so under its own name.
        if (name === null || names.has(name) || name === basename(folder)) onNews();
      });
      watcher.on("error", onError);
      return [watcher];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") onNews();
      else onError(error as Error);
      return [];
    }
  }

  function follow(): void {
    const before = watchers;
    const wanted = foldersOnTheWay(path);
    watchers = [...wanted].flatMap(([folder, names]) => open(folder, names));
    for (const watcher of before) watcher.close();
    // If the way has changed before it was watched, no event comes.
    if (!isDeepStrictEqual(wanted, foldersOnTheWay(path))) onNews();
  }

  follow();
  return {
    follow,
    close() {
      for (const watcher of watchers) watcher.close();
      watchers = [];
    },
  };
}

/** As many links as Linux follows. */
const MAX_LINKS = 40;

/**
 * Where the way to a path can be changed: the folder and the name of each symbolic link on it and of the file at its
 * end, or of the first that is missing.
 */
export function foldersOnTheWay(path: string): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  // Not normalized: behind a symbolic link `..` is not what it seems.
  const whole = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`;
  let folder = parse(whole).root;
  let rest = whole.slice(folder.length).split(sep);
  for (let links = 0; links <= MAX_LINKS; ) {
    const [name, ...after] = rest;
    if (name === undefined) break;
    rest = after;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      folder = dirname(folder);
      continue;
    }
    const target = linkTarget(join(folder, name));
    const isLast = rest.length === 0;
    if (target.kind !== "entry" || isLast) names.set(folder, (names.get(folder) ?? new Set()).add(name));
    if (target.kind === "missing") break;
    if (target.kind === "link") {
      links += 1;
      if (isAbsolute(target.path)) folder = parse(target.path).root;
      rest = [...target.path.split(sep), ...rest];
    } else {
      folder = join(folder, name);
    }
  }
  return names;
}

type Entry =
  | { readonly kind: "missing" }
  | { readonly kind: "link"; readonly path: string }
  /** A file or a folder. */
  | { readonly kind: "entry" };

function linkTarget(path: string): Entry {
  try {
    return lstatSync(path).isSymbolicLink() ? { kind: "link", path: readlinkSync(path) } : { kind: "entry" };
  } catch {
    return { kind: "missing" };
  }
}
