/** Imported into a server that is soaked (`node --import`), beside the probe of memory: what keeps its loop alive. */

/** By kind, how many: timers, sockets, pipes, … */
export type Resources = Readonly<Record<string, number>>;

export interface ResourcesAnswer {
  readonly resources: Resources;
}

export const ASK_RESOURCES = "resources";

process.on("message", ({ kind }: { readonly kind: string }) => {
  if (kind !== ASK_RESOURCES) return;
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  process.send?.({ resources } satisfies ResourcesAnswer);
});
