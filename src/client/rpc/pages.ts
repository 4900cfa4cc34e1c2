/** Lists that come page by page. */

export interface PageQuery {
  /** Undefined: as many as the server chooses. */
  readonly pageSize: number | undefined;
  /** Empty for the first page. */
  readonly pageToken: string;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** Reads page after page, as far as the loop goes on. */
export async function* readPages<T>(
  pageSize: number | undefined,
  read: (query: PageQuery) => Promise<PageOf<T>>,
): AsyncGenerator<T, void> {
  let pageToken = "";
  do {
    const { items, nextPageToken } = await read({ pageSize, pageToken });
    yield* items;
    pageToken = nextPageToken;
  } while (pageToken !== "");
}
