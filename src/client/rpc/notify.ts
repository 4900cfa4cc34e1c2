/** Calling what users gave. */

/**
 * Calls a listener; what it throws is the answer to no call, so it becomes an uncaught error, as a listener's of an event
 * target does.
 */
export function notify<T>(listener: ((notice: T) => void) | undefined, notice: T): void {
  try {
    listener?.(notice);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
