/** What a browser would be given where the dashboard is. */

import { expect } from "vitest";

/** Expects a page at `url` with the script and the style sheet that it names. */
export async function showsDashboard(url: string): Promise<void> {
  const page = await (await fetch(url)).text();
  expect(page).toContain('<div id="app">');
  const named = Array.from(page.matchAll(/(?:src|href)="([^":]+)"/g), ([, path = ""]) => path);
  expect(named).toEqual(expect.arrayContaining([expect.stringMatching(/\.js$/), expect.stringMatching(/\.css$/)]));
  for (const path of named) expect([path, (await fetch(new URL(path, url))).status]).toEqual([path, 200]);
}
