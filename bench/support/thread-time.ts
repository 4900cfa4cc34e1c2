/** CPU time: what a thread has worked, whatever else wanted the machine meanwhile. */

/** ns that the calling thread has worked; to the µs. */
export function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) * 1000;
}
