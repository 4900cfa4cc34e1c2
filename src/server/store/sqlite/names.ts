/** The files of a data folder that grow. */

export const DATABASE = "data.db";
/** SQLite's log, which it writes into the database now and then. */
export const LOG = `${DATABASE}-wal`;
