/** How the tables are defined. */

import type { DatabaseSync } from "node:sqlite";
import { damaged } from "./damage.ts";

/** The definitions by name, in the words in which SQLite keeps them. */
export const SCHEMA = `\
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, number INTEGER NOT NULL, rows INTEGER NOT NULL, sum INTEGER NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE record (key TEXT PRIMARY KEY, number INTEGER NOT NULL, checksum INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
`;

/** Throws `damaged` for other definitions: such a database may be readable, and yet not writable. */
export function assertSchema(database: DatabaseSync, folder: string): void {
  const definitions = database.prepare("SELECT sql FROM sqlite_schema ORDER BY name").all();
  const found = definitions.map(({ sql }) => `${sql};\n`).join("");
  if (found !== SCHEMA) throw damaged(folder, "its tables are not as they were defined");
}
