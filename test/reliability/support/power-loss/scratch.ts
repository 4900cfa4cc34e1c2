import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

/** Where folders are made by the thousand: in memory where there is such a place, since nothing here loses power. */
export const SCRATCH = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
