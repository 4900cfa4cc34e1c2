/** Methods of a part of the client that is loaded when the first of them is called. */

/** Of each method, whether it answers once, by a promise, or many times, by an iterable. */
type Answers<T> = {
  readonly [K in keyof T]: T[K] extends (...args: never[]) => AsyncIterable<unknown> ? "many" : "once";
};

type Method = (...args: readonly unknown[]) => unknown;

/** Returns an object with these methods. Each call loads the part, if it is not there, and is made on it then. */
export function lazily<T extends object>(load: () => Promise<T>, answers: Answers<T>): T {
  const methodOf = async (name: string) => (await load())[name as keyof T] as Method;

  const once =
    (name: string) =>
    async (...args: readonly unknown[]) =>
      (await methodOf(name))(...args);

  const many = (name: string) =>
    async function* (...args: readonly unknown[]) {
      yield* (await methodOf(name))(...args) as AsyncIterable<unknown>;
    };

  return Object.fromEntries(
    Object.entries(answers).map(([name, kind]) => [name, kind === "many" ? many(name) : once(name)]),
  ) as T;
}

/** Returns what loads a part of the client at the first call, and again at the next where that has failed. */
export function loadOnce<T>(subject: string, load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((cause: unknown) => {
      loading = undefined;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(
        `the client's part for ${subject} could not be loaded (${why}): ` +
          "does the page's own site still serve all files of its bundle?",
        { cause },
      );
    });
    return loading;
  };
}
