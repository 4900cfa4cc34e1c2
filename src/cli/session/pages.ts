/** Lists that come page by page. */

interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** All items of all pages, in order. */
export async function allPages<T>(read: (pageToken: string) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  for (let pageToken = ""; ; ) {
    const page = await read(pageToken);
    all.push(...page.items);
    if (page.nextPageToken === "") return all;
    pageToken = page.nextPageToken;
  }
}
