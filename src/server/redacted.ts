/** A secret that no log, error or answer can show by accident. */

import { inspect } from "node:util";

export class Redacted {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** The secret itself, for where it is needed. */
  reveal(): string {
    return this.#secret;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}

const SHOWN = "[redacted]";
