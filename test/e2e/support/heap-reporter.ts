/** Preloaded into a server's process, with --expose-gc: answers each message with the bytes that live on its heap. */

process.on("message", () => {
  globalThis.gc?.();
  process.send?.(process.memoryUsage().heapUsed);
});
// The server ends when it has nothing left to do, whatever may still ask.
process.channel?.unref();
