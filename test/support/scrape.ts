/** A scrape as a program reads it. */

export interface Scrape {
  readonly text: string;
  readonly contentType: string;
  /** The names of its families with their types, in the order of the text. */
  readonly families: ReadonlyMap<string, string>;
  /** By series as the text has them, labels included. */
  readonly values: ReadonlyMap<string, number>;
  /** The value of a series; fails where there is none. */
  value(series: string): number;
  /** All values of a family's series, by their labels. */
  of(name: string): Readonly<Record<string, number>>;
}

/** `url`: of the port, without a path. */
export async function scrape(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`, { headers });
  if (response.status !== 200) throw new Error(`the scrape is answered ${response.status}: ${await response.text()}`);
  return readScrape(await response.text(), response.headers.get("content-type") ?? "");
}

function readScrape(text: string, contentType = ""): Scrape {
  const families = new Map<string, string>();
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== "") families.set(name, type);
    const [, series = "", value = ""] = /^([^#\s].*) (\S+)$/.exec(line) ?? [];
    if (series === "") continue;
    if (values.has(series)) throw new Error(`the series ${series} is there twice`);
    values.set(series, value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value));
  }
  return {
    text,
    contentType,
    families,
    values,
    value(series) {
      const value = values.get(series);
      if (value === undefined) throw new Error(`there is no series ${series}`);
      return value;
    },
    of(name) {
      const own = [...values].filter(([series]) => series === name || series.startsWith(`${name}{`));
      return Object.fromEntries(own.map(([series, value]) => [series.slice(name.length), value]));
    },
  };
}
