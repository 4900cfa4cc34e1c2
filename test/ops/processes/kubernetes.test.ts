/** ops/kubernetes, held to the API of Kubernetes, to the image, and to what the server needs. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { IServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { IPersistentVolumeClaim } from "kubernetes-models/v1/PersistentVolumeClaim";
import type { IService } from "kubernetes-models/v1/Service";
import { describe, expect, type TestContext, test } from "vitest";
import { loadConfig } from "../../../src/server/config/config.ts";
import { requireTool, type Tool } from "../../support/require-tool.ts";
import { startSecured } from "../../support/secured.ts";
import { MANIFESTS, type Manifest, manifest, problemsOf, readManifests } from "../support/manifests.ts";
import { OPS, readOps } from "../support/rules.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CONFIG = `${OPS}/kubernetes/backpressure.yaml`;
const SECURED = `${OPS}/kubernetes-secured/backpressure.yaml`;

/** Where `go install` puts it, which is not always on the path. */
const ENV = { ...process.env, PATH: [process.env.PATH, join(homedir(), "go", "bin")].join(delimiter) };
const KUSTOMIZE: Tool = {
  name: "kustomize, or the kubectl that has it",
  probe: ["sh", "-c", "kustomize version || kubectl version --client"],
  install: "go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1",
  env: ENV,
};
const BUILD = 'if command -v kustomize >/dev/null; then kustomize build "$1"; else kubectl kustomize "$1"; fi';

type Whole<T> = T & Manifest;
const deployment = manifest<Whole<IDeployment>>("Deployment");
const service = manifest<Whole<IService>>("Service");
const pod = deployment.spec?.template.spec;
const container = pod?.containers[0];

function settings(path = CONFIG) {
  const reading = loadConfig({ path, overrides: [] });
  if (reading.kind !== "loaded") throw new Error(JSON.stringify(reading.problems));
  return reading;
}

test("Kubernetes's API takes every object, field by field", async () => {
  expect(MANIFESTS.map(({ kind }) => kind).toSorted()).toEqual([
    "Deployment",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Service",
    "ServiceMonitor",
  ]);
  expect(await problemsOf(MANIFESTS)).toEqual([]);
});

test("a field that is misspelt, a value of another type and one out of its bounds are found, in each kind of object", async () => {
  const spoilt = (change: (object: Record<string, never>) => void, kind: string) => {
    const object = structuredClone(manifest(kind));
    change((object as unknown as { spec: Record<string, never> }).spec);
    return problemsOf([object]);
  };
  for (const { kind } of MANIFESTS.filter((object) => "spec" in object)) {
    expect(await spoilt((spec) => Object.assign(spec, { replica: 1 }), kind), kind).toEqual([
      expect.stringMatching(/"replica"/),
    ]);
  }
  const deep = (spec: Record<string, never>) =>
    (spec as unknown as NonNullable<IDeployment["spec"]>).template.spec?.containers[0];
  expect(await spoilt((spec) => Object.assign(deep(spec)?.livenessProbe ?? {}, { period: 3 }), "Deployment")).toEqual([
    expect.stringMatching(/"period"/),
  ]);
  expect(await spoilt((spec) => Object.assign(spec, { replicas: "one" }), "Deployment")).toEqual([
    expect.stringMatching(/'string' is not assignable to type 'number'/),
    expect.stringMatching(/integer/),
  ]);
  expect(await spoilt((spec) => Object.assign(spec, { strategy: { type: "Replace" } }), "Deployment")).not.toEqual([]);
});

test.each([CONFIG, SECURED])("`backpressure check` takes %s, and has nothing to say", (path) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}/src/cli/main.ts`, "check", path], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/is valid: 1 limiter/);
});

test("the probes and the Service reach the ports on which the server listens, on all interfaces", () => {
  const { grpc, web } = settings().settings.listeners;
  expect([grpc.host, web.host]).toEqual(["0.0.0.0", "0.0.0.0"]);
  const named = new Map(container?.ports?.map(({ name, containerPort }) => [name, containerPort]));
  expect(named).toEqual(
    new Map([
      ["grpc", grpc.port],
      ["web", web.port],
    ]),
  );
  for (const probe of [container?.startupProbe, container?.readinessProbe, container?.livenessProbe]) {
    expect(probe?.grpc?.port).toBe(grpc.port);
  }
  expect(service.spec?.ports?.map(({ port, targetPort }) => [targetPort, port])).toEqual([
    ["grpc", grpc.port],
    ["web", web.port],
  ]);
});

test("the operator of Prometheus scrapes the Service, as the job that the alerts look for", () => {
  const { spec } = manifest<Whole<IServiceMonitor>>("ServiceMonitor");
  expect(spec?.endpoints).toMatchObject([{ port: "web", path: "/metrics" }]);
  expect(spec?.jobLabel).toBeUndefined();
  expect(readOps("alerts.yml")).toContain(`up{job="${service.metadata.name}"}`);
});

test("there is one server at a time, which has longer to end than it may drain", () => {
  expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
  const { drainTimeout } = settings().settings;
  const SECOND = 1_000_000;
  expect(pod?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(drainTimeout / SECOND + 10);
});

test("a server that answers is not killed for what it cannot do, and is reached whatever its readiness", () => {
  expect(container?.livenessProbe?.grpc?.service).toBe("grpc.health.v1.Health");
  expect(container?.readinessProbe?.grpc?.service).toBeUndefined();
  expect(service.spec?.publishNotReadyAddresses).toBe(true);
});

test("the image's folders are mounted: the configuration's as a whole, the data's on the claim, which has room", () => {
  const dockerfile = readFileSync(`${ROOT}/Dockerfile`, "utf8");
  const [, configFolder] = /BACKPRESSURE_CONFIG=(\S+)\/backpressure\.yaml/.exec(dockerfile) ?? [];
  const [, dataFolder] = /BACKPRESSURE_DATA=(\S+)/.exec(dockerfile) ?? [];
  const mounted = Object.fromEntries(
    container?.volumeMounts?.map(({ name, mountPath, subPath }) => [name, [mountPath, subPath]]) ?? [],
  );
  expect(mounted).toEqual({
    config: [configFolder, undefined],
    data: [dataFolder, undefined],
    scratch: ["/tmp", undefined],
  });
  const store = settings().settings.store;
  expect(store?.folder).toBe(dataFolder);
  const claim = manifest<Whole<IPersistentVolumeClaim>>("PersistentVolumeClaim");
  const [, gigabytes] = /^(\d+)Gi$/.exec(String(claim.spec?.resources?.requests?.storage)) ?? [];
  expect(Number(gigabytes) * 1024).toBeGreaterThanOrEqual(2 * (store?.maxMegabytes ?? Number.NaN));
});

test("it runs as nobody special, and may write to its volumes alone", () => {
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } },
  });
  expect(container?.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

/** Builds a folder below ops/; skips the test, by name, where there is no kustomize. */
function build(context: TestContext, folder: string): readonly Manifest[] {
  requireTool(context, KUSTOMIZE);
  const { stdout, stderr, status } = spawnSync("sh", ["-c", BUILD, "sh", `${OPS}/${folder}`], {
    env: ENV,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return readManifests(stdout);
}

test("kustomize makes the same objects of it, and a ConfigMap whose name does not change with its content", async (context) => {
  const built = [...build(context, "kubernetes"), ...build(context, "kubernetes/monitoring")];
  expect(await problemsOf(built)).toEqual([]);
  const added = built.filter(({ kind }) => !MANIFESTS.some((each) => each.kind === kind));
  expect(added).toMatchObject([
    {
      kind: "ConfigMap",
      metadata: { name: "backpressure" },
      data: { "backpressure.yaml": readFileSync(CONFIG, "utf8") },
    },
  ]);
  expect(built).toHaveLength(MANIFESTS.length + 1);
});

test("what docs/operations.md pipes into kubectl is an object with the rules as they are", async () => {
  const page = readFileSync(`${ROOT}/docs/operations.md`, "utf8");
  const [, shell = ""] = /^```sh prometheus-rule\n([\s\S]*?)^```/m.exec(page) ?? [];
  const { stdout } = spawnSync("sh", ["-ec", shell.replace("kubectl apply -f -", "cat")], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const [rule] = readManifests(stdout);
  expect(rule).toMatchObject({ kind: "PrometheusRule", spec: { groups: expect.arrayContaining([expect.anything()]) } });
  expect(await problemsOf(rule === undefined ? [] : [rule])).toEqual([]);
});

describe("the secured server", () => {
  const of = <T extends Manifest>(objects: readonly Manifest[], kind: string) =>
    objects.find((object) => object.kind === kind) as T;

  test("is the same server but for TLS and for who may call", async (context) => {
    const built = build(context, "kubernetes-secured");
    expect(await problemsOf(built)).toEqual([]);
    expect(built.map(({ kind }) => kind).toSorted()).toEqual(
      build(context, "kubernetes")
        .map(({ kind }) => kind)
        .toSorted(),
    );
    expect(of<Manifest & { data: object }>(built, "ConfigMap").data).toEqual({
      "backpressure.yaml": readFileSync(SECURED, "utf8"),
    });
    const { auth, access, tls, allowAnonymous, listeners, ...same } = settings(SECURED).settings;
    // Over TLS no name can be bent, and none needs to be listed.
    const { webHosts, ...ports } = listeners;
    expect({ auth, access, tls, allowAnonymous, webHosts }).toMatchObject({
      allowAnonymous: false,
      tls: expect.anything(),
      webHosts: [],
    });
    expect(settings().settings).toMatchObject(JSON.parse(JSON.stringify({ ...same, listeners: ports })));
    expect(settings(SECURED).limiters).toEqual(settings().limiters);
  });

  test("finds each file that its configuration names in a volume, which other users of the container cannot read", (context) => {
    const { spec } = of<Whole<IDeployment>>(build(context, "kubernetes-secured"), "Deployment");
    const { containers, volumes = [], automountServiceAccountToken } = spec?.template.spec ?? { containers: [] };
    const mounts = containers[0]?.volumeMounts ?? [];
    const files = [...readFileSync(SECURED, "utf8").matchAll(/_file: (\S+)/g)].map(([, path = ""]) => path);
    expect(files).toHaveLength(4);
    for (const file of files) {
      const mount = mounts.find(({ mountPath }) => dirname(file) === mountPath);
      const volume = volumes.find(({ name }) => name === mount?.name);
      expect(volume?.secret?.defaultMode ?? volume?.projected?.defaultMode, file).toBe(0o440);
    }
    // It may fetch keys; it has no other token of the cluster's.
    expect(automountServiceAccountToken).toBe(false);
  });

  test("has no probe that speaks plain text, and none that takes a credential", async (context) => {
    const { spec } = of<Whole<IDeployment>>(build(context, "kubernetes-secured"), "Deployment");
    const { startupProbe, readinessProbe, livenessProbe } = spec?.template.spec?.containers[0] ?? {};
    expect([startupProbe?.grpc, readinessProbe?.grpc, livenessProbe?.grpc]).toEqual([undefined, undefined, undefined]);
    for (const probe of [startupProbe, livenessProbe]) {
      expect(probe?.httpGet).toEqual({ scheme: "HTTPS", port: "web", path: "/" });
    }
    // A process takes a while to start on a busy node; nothing may be killed for that.
    expect(livenessProbe?.exec).toBeUndefined();
    expect(readinessProbe?.exec?.command).toEqual(["node", "dist/cli/main.js", "health"]);
    await using secured = await startSecured("");
    expect(await probe(`${secured.url}/`)).toBe(200);
    expect(await probe(`${secured.url}/metrics`)).toBe(401);
    const health = [`${ROOT}/src/cli/main.ts`, "--address", `https://${secured.address}`, "health"];
    const env = { ...process.env, BACKPRESSURE_CA_FILE: secured.file("ca.crt") };
    expect(spawnSync(process.execPath, health, { env, encoding: "utf8" })).toMatchObject({ status: 0 });
  });

  test("is scraped over TLS, with a token that its configuration lets observe everything", async (context) => {
    const [monitor] = build(context, "kubernetes-secured/monitoring");
    expect(await problemsOf(monitor === undefined ? [] : [monitor])).toEqual([]);
    const endpoints = (monitor as Whole<IServiceMonitor>).spec?.endpoints;
    expect(endpoints).toMatchObject([
      {
        scheme: "https",
        tlsConfig: { ca: { secret: { name: "backpressure-tls", key: "ca.crt" } } },
        authorization: {},
      },
    ]);
    const { access } = settings(SECURED).settings;
    expect(access).toContainEqual(
      expect.objectContaining({ who: ["token:prometheus"], limiters: ["*"], boards: ["*"] }),
    );
  });
});

/** As the kubelet asks: whatever the certificate, and without a credential. */
function probe(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", reject);
  });
}
