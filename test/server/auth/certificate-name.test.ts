import { describe, expect, it } from "vitest";
import { certificateName } from "../../../src/server/auth/certificate-name.ts";

describe("the name that a certificate gives its client", () => {
  it.each([
    ["URI:spiffe://prod.example/ns/billing/sa/api", "spiffe://prod.example/ns/billing/sa/api"],
    ["DNS:billing.example.com", "dns:billing.example.com"],
    ["DNS:Billing.Example.COM, DNS:other.example.com", "dns:billing.example.com"],
    ["DNS:billing.example.com, URI:spiffe://prod.example/billing", "spiffe://prod.example/billing"],
    ["IP Address:10.0.0.1, DNS:billing.example.com", "dns:billing.example.com"],
    ["URI:https://example.com/about, DNS:billing.example.com", "dns:billing.example.com"],
  ])("%s is %s", (names, name) => {
    expect(certificateName(names)).toBe(name);
  });

  it.each([
    ["no names", undefined],
    ["an empty list", ""],
    ["two URIs", "URI:spiffe://a.example/x, URI:spiffe://b.example/y"],
    [
      "two URIs, of which one is of SPIFFE, and a DNS name",
      "URI:https://a.example/, URI:spiffe://b.example/y, DNS:c.example",
    ],
    ["a quoted comma (CVE-2021-44532)", 'DNS:"evil.example, DNS:billing.example.com"'],
    ["a quoted name before a good one", 'URI:"spiffe://a.example/x, DNS:y", DNS:billing.example.com'],
    ["a NUL", 'DNS:"billing.example.com\\u0000.evil.example"'],
    ["a NUL as it is", "DNS:billing.example.com\u0000.evil.example"],
    ["a wildcard", "DNS:*.example.com"],
    ["a name with a space", "DNS:billing example"],
    ["a name of another script", "DNS:bılling.example.com"],
    ["an empty DNS name", "DNS:"],
    ["a DNS name that is too long", `DNS:${"a.".repeat(127)}example`],
    ["SPIFFE without a path", "URI:spiffe://prod.example"],
    ["SPIFFE with a dot for a segment", "URI:spiffe://prod.example/a/../admin"],
    ["SPIFFE with a port", "URI:spiffe://prod.example:8080/a"],
    ["SPIFFE with a user", "URI:spiffe://admin@prod.example/a"],
    ["SPIFFE with a query", "URI:spiffe://prod.example/a?b"],
    ["SPIFFE in capitals", "URI:SPIFFE://prod.example/a"],
    ["SPIFFE with percent signs", "URI:spiffe://prod.example/%61"],
    ["an address alone", "IP Address:10.0.0.1"],
    ["a mail address", "email:billing@example.com"],
    ["text that is no list", "DNS:a.example DNS:b.example"],
  ])("%s gives none", (_, names) => {
    expect(certificateName(names)).toBeUndefined();
  });
});
