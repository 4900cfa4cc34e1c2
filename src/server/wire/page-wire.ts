/** Page tokens: where the next page begins, in an opaque form. */

import { invalidRequest } from "./error-wire.ts";

/** After which limiter, or board, a page goes on: a name, as the contract bounds it. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

const DEFAULT_PAGE_SIZE = 100;

export interface PageQuery {
  readonly after: string;
  readonly limit: number;
}

/** Throws a `WireError` for a token that this server has not made; `isAfter` knows what one holds. */
export function pageFromWire(
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
  isAfter: RegExp,
): PageQuery {
  const after = Buffer.from(pageToken, "base64url").toString();
  if (pageToken !== "" && (!isAfter.test(after) || pageTokenToWire(after) !== pageToken)) {
    throw invalidRequest([
      {
        field: "page_token",
        reason: "page_token",
        description: "is not a next_page_token of this list; leave it empty for the first page",
      },
    ]);
  }
  return { after, limit: pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize };
}

export function pageTokenToWire(next: string): string {
  return Buffer.from(next).toString("base64url");
}
