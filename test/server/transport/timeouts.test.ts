import { expect, test } from "vitest";
import { clampConnectTimeout, clampGrpcTimeout } from "../../../src/server/transport/timeouts.ts";

test.each([
  ["1n", "1n"],
  ["99999999m", "99999999m"],
  ["2147483S", "2147483S"],
  ["2147484S", "2147483S"],
  ["35791M", "35791M"],
  ["35792M", "2147483S"],
  ["596H", "596H"],
  ["597H", "2147483S"],
  ["99999999H", "2147483S"],
  ["", ""],
  ["soon", "soon"],
  ["999999999S", "999999999S"],
])("a grpc-timeout of %j becomes %j", (header, clamped) => {
  expect(clampGrpcTimeout(header)).toBe(clamped);
});

test.each([
  ["0", "0"],
  ["2147483647", "2147483647"],
  ["2147483648", "2147483647"],
  ["9999999999", "2147483647"],
  ["99999999999", "99999999999"],
  ["-1", "-1"],
])("a connect-timeout-ms of %j becomes %j", (header, clamped) => {
  expect(clampConnectTimeout(header)).toBe(clamped);
});
