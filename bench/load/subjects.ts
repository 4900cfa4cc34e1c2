/** What is asked for: one limiter or thousands, one key or thousands, all alike or one of them hot. */

export interface SubjectOptions {
  /** The limiter; of several, `NAME-0`, `NAME-1`, … */
  readonly limiter: string;
  readonly limiters: number;
  /** Keys of each limiter; 0: they are not keyed. */
  readonly keys: number;
  readonly spread: "even" | "hot";
}

/** One limiter without keys. */
export const ONE_LIMITER = { limiters: 1, keys: 0, spread: "even" } as const satisfies Partial<SubjectOptions>;

export interface Subject {
  readonly limiter: string;
  /** Empty: none. */
  readonly key: string;
}

/** Of a hot spread, this share of the operations is about the first subject. */
const HOT = 0.9;

export function subjectsOf({ limiter, limiters, keys }: SubjectOptions): readonly Subject[] {
  const names = limiters === 1 ? [limiter] : Array.from({ length: limiters }, (_, i) => `${limiter}-${i}`);
  const all = keys === 0 ? [""] : Array.from({ length: keys }, (_, i) => `key-${i}`);
  return names.flatMap((name) => all.map((key) => ({ limiter: name, key })));
}

/** Returns what picks the next of these. */
export function pickerOf<T>(items: readonly T[], spread: SubjectOptions["spread"]): () => T {
  const [first] = items;
  if (first === undefined) throw new RangeError("there is nothing to ask for");
  if (items.length === 1) return () => first;
  const any = () => items[Math.floor(Math.random() * items.length)] as T;
  return spread === "even" ? any : () => (Math.random() < HOT ? first : any());
}
