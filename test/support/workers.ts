/** How many transport workers the servers of a run have: `BACKPRESSURE_TEST_WORKERS`, or none. */

export const WORKERS = Number(process.env.BACKPRESSURE_TEST_WORKERS ?? 0);

/** The same as a line of a configuration. */
export const WORKERS_YAML = `workers: ${WORKERS}\n`;
