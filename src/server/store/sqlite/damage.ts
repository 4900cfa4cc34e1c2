/** The errors for which a data folder is not taken up; their messages say what is wrong and what to do. */

export class StoreError extends Error {
  override readonly name = "StoreError";
  /** `damaged`: something that was kept is lost; the folder can be taken up with `--accept-loss`. */
  readonly kind: "held" | "newer" | "damaged" | "unusable";

  constructor(kind: StoreError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export function damaged(folder: string, what: string, cause?: unknown): StoreError {
  return new StoreError(
    "damaged",
    // SQLite's own findings come in several lines.
    `the data folder ${folder} is damaged: ${what.replaceAll(/\s+/g, " ")}. Put a backup of the whole folder in its place; or start once with ` +
      "--accept-loss, which keeps what can be read, sets the rest aside in the folder, and grants nothing until the " +
      "longest possible ttl has passed",
    { cause },
  );
}
