/** How it stands with the keys of issuers of tokens, for metrics. */

export interface IssuerKeys {
  /** Its name in the configuration. */
  readonly issuer: string;
  /** Whether keys were there when they were asked for last. */
  readonly lastLoadTaken: boolean;
  /** ms since 1970: when those were loaded that count; undefined: none are there. */
  readonly loadedAt: number | undefined;
}

/** Each issuer once, as the thread has it that is worst off. */
export function worstOf(all: readonly IssuerKeys[]): readonly IssuerKeys[] {
  const byIssuer = Map.groupBy(all, ({ issuer }) => issuer);
  return [...byIssuer].map(([issuer, each]) => ({
    issuer,
    lastLoadTaken: each.every(({ lastLoadTaken }) => lastLoadTaken),
    loadedAt: each.map(({ loadedAt }) => loadedAt).reduce(earlier),
  }));
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.min(one, other);
}
