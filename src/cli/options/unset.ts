/** `--unset`: settings that go back to their defaults. */

import { Option } from "commander";
import { UsageError } from "../session/failure.ts";

export function unsetOption(example: string): Option {
  return new Option("--unset <option...>", `back to the default, such as --unset ${example}`);
}

/** The changes that are asked for, `null` for what goes back to its default; throws a `UsageError` where that makes no sense. */
export function changesOf<S extends object>(
  settings: OptionsOf<S>,
  flags: S & { readonly unset?: readonly string[] },
): { readonly [K in keyof S]?: S[K] | null } {
  const changes: { [K in keyof S]?: S[K] | null } = {};
  for (const setting of Object.values(settings)) {
    if (flags[setting] !== undefined) changes[setting] = flags[setting];
  }
  for (const name of flags.unset ?? []) {
    const setting = settingOf(settings, name);
    if (changes[setting] !== undefined) throw new UsageError(`--${name} is both set and unset`);
    changes[setting] = null;
  }
  return changes;
}

/** Settings by the names of their options. */
type OptionsOf<S> = Readonly<Record<string, keyof S>>;

/** Accepts `burst-size`, `--burst-size` and the contract's `burst_size`. */
function settingOf<S>(settings: OptionsOf<S>, name: string): keyof S {
  const plain = name.replace(/^--/, "").replaceAll("_", "-");
  if (Object.hasOwn(settings, plain)) return settings[plain] as keyof S;
  throw new UsageError(`cannot unset ${name}: there are ${Object.keys(settings).join(", ")}`);
}
