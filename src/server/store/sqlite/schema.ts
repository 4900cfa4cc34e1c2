/** How the tables are defined, by name, in the words in which SQLite keeps it. */
export const SCHEMA = `\
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, number INTEGER NOT NULL, rows INTEGER NOT NULL, sum INTEGER NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE record (key TEXT PRIMARY KEY, number INTEGER NOT NULL, checksum INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
`;
