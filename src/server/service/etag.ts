/** Etags: a revision as a caller sends it back. */

/** Undefined: any will do. An etag that is none of ours matches nothing. */
export function revisionOf(etag: string): number | undefined {
  if (etag === "") return undefined;
  return /^[1-9][0-9]{0,15}$/.test(etag) ? Number(etag) : -1;
}
