/** Lists that come page by page. */

import { type PageOf, type PageQuery, readPages } from "../../client/rpc/pages.ts";

/** As many as the contract lets a page have. */
const PAGE_SIZE = 1000;

/** All items of all pages, in order. */
export async function allPages<T>(read: (query: PageQuery) => Promise<PageOf<T>>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of readPages(PAGE_SIZE, read)) all.push(item);
  return all;
}
