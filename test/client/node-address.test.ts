import { describe, expect, it } from "vitest";
import { originOf } from "../../src/client/transport/node-address.ts";

describe("an address in Node", () => {
  it.each([
    ["localhost:50051", "http://localhost:50051"],
    ["10.0.0.7:50051", "http://10.0.0.7:50051"],
    ["[::1]:50051", "http://[::1]:50051"],
    ["http://localhost:50051", "http://localhost:50051"],
    ["http://localhost:50051/", "http://localhost:50051"],
    ["localhost:80", "http://localhost"],
    ["https://backpressure.example.com", "https://backpressure.example.com"],
    ["https://backpressure.example.com:8443", "https://backpressure.example.com:8443"],
  ])("%s is %s", (address, origin) => {
    expect(originOf(address)).toBe(origin);
  });

  it.each([
    ["", "it is no address"],
    ["localhost", "it names no port"],
    ["http://localhost", "it names no port"],
    ["localhost:99999", "it is no address"],
    ["localhost:50051/api", "gRPC knows no path"],
    ["https://example.com/?a=b", "gRPC knows no path"],
    ["ftp://example.com:21", "gRPC goes over http or https, not ftp"],
    ["http://me:secret@example.com:80", "it may not name a user"],
    ["two words:80", "it is no address"],
  ])("%s is refused: %s", (address, problem) => {
    expect(() => originOf(address)).toThrow(TypeError);
    expect(() => originOf(address)).toThrow(
      `cannot connect to ${JSON.stringify(address)}: ${problem}; write it as "localhost:50051"`,
    );
  });
});
