import { chmodSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { readMaterial } from "../../../../src/server/tls/read-material.ts";
import { createAuthority } from "../../../support/certificates.ts";
import { createTlsFolder } from "../../../support/tls-folder.ts";

const authority = await createAuthority();
const { key: otherKey } = await (await createAuthority("others")).issue();

async function files(overrides: { cert?: string; key?: string; ca?: string; crl?: string } = {}) {
  const leaf = await authority.issue();
  const folder = createTlsFolder();
  return {
    leaf,
    files: {
      certFile: folder.write("cert.pem", overrides.cert ?? leaf.cert),
      keyFile: folder.write("key.pem", overrides.key ?? leaf.key),
      clientCaFile: overrides.ca === undefined ? undefined : folder.write("ca.pem", overrides.ca),
      clientCrlFile: overrides.crl === undefined ? undefined : folder.write("crl.pem", overrides.crl),
    },
  };
}

async function problemOf(overrides: Parameters<typeof files>[0]): Promise<string> {
  const reading = await readMaterial((await files(overrides)).files, Date.now());
  return reading.kind === "unusable" ? reading.problem : "none";
}

describe("the files of TLS", () => {
  it("are read whole, and what is said of the certificate is no secret", async () => {
    const { files: all, leaf } = await files({ ca: authority.cert, crl: await authority.withdraw([]) });
    const reading = await readMaterial(all, Date.now());
    expect(reading).toMatchObject({
      kind: "read",
      material: { cert: leaf.cert, clientCa: authority.cert },
      certificate: { subject: "CN=test", issuer: "CN=authority of tests" },
    });
    expect(reading.kind === "read" && reading.material.key.reveal()).toBe(leaf.key);
    expect(`${JSON.stringify(reading)} ${inspect(reading, { depth: 9 })}`).not.toContain("PRIVATE");
  });

  it.each<[string, Parameters<typeof files>[0], RegExp]>([
    ["no certificate", { cert: "nonsense" }, /tls\.cert_file \(.*\) has no certificate in PEM/],
    ["no key", { key: "nonsense" }, /tls\.key_file \(.*\) has no private key in PEM/],
    ["another's key", { key: otherKey }, /tls\.key_file .* is not the key of the first certificate/],
    ["no authority", { ca: "" }, /tls\.client_ca_file .* has no certificate in PEM/],
    ["no list", { ca: authority.cert, crl: "nonsense" }, /tls\.client_crl_file .* has no list/],
  ])("with %s are refused in one sentence that names the file", async (_, overrides, words) => {
    expect(await problemOf(overrides)).toMatch(words);
  });

  it("are refused if the certificate has run out", async () => {
    const { files: all } = await files();
    const reading = await readMaterial(all, Date.now() + 3_600_000);
    expect(reading).toMatchObject({ kind: "unusable", problem: expect.stringMatching(/has run out on .*: renew it/) });
  });

  it("are refused if one of them is not there", async () => {
    const { files: all } = await files();
    const reading = await readMaterial({ ...all, certFile: `${all.certFile}.gone` }, Date.now());
    expect(reading).toMatchObject({ problem: expect.stringMatching(/cannot be read: there is no such file/) });
  });

  it.each([0o604, 0o642, 0o777])("are refused if every user may use the key (mode %o)", async (mode) => {
    const { files: all } = await files();
    chmodSync(all.keyFile, mode);
    expect(await readMaterial(all, Date.now())).toMatchObject({ problem: expect.stringMatching(/chmod 600 it/) });
  });

  it("may be of the group, as Kubernetes has it", async () => {
    const { files: all } = await files();
    chmodSync(all.keyFile, 0o440);
    expect(await readMaterial(all, Date.now())).toMatchObject({ kind: "read" });
  });
});
