import { expect, test } from "vitest";
import { worstOf } from "../../../src/server/auth/issuer-keys.ts";

const of = (issuer: string, lastLoadTaken: boolean, loadedAt: number | undefined) => ({
  issuer,
  lastLoadTaken,
  loadedAt,
});

test("an issuer is as the thread has it whose keys fail, are oldest or are not there", () => {
  const all = [
    ...[of("idp", true, 20), of("k8s", true, 5), of("new", true, 7)],
    ...[of("idp", false, 10), of("k8s", true, 6), of("new", false, undefined)],
  ];
  expect(worstOf(all)).toEqual([of("idp", false, 10), of("k8s", true, 5), of("new", false, undefined)]);
  expect(worstOf([])).toEqual([]);
});
