/** Imported into a process that a test starts: it ends when the test's process does, however that comes to its end. */

process.on("disconnect", () => process.exit());
// Nothing else is waited for.
process.channel?.unref();
