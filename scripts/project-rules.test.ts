import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { temporaryFolder } from "../agent/config/testing/fixtures.ts";
import { generatedFiles, ROOT, staleFiles } from "./generated.ts";
import { importProblems, importsOf, profileProblems, projectProblems } from "./project-rules.ts";

test("this project is in order", async () => {
  expect(await projectProblems()).toEqual([]);
});

test("a generated file that was changed or is missing is stale; other line ends do not matter", async () => {
  const root = await temporaryFolder();
  for (const [file, content] of generatedFiles()) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), content.replaceAll("\n", "\r\n"));
  }
  expect(await staleFiles(root)).toEqual([]);
  await writeFile(path.join(root, "docs/user/config.md"), "# Mine\n");
  expect(await staleFiles(root)).toEqual(["docs/user/config.md"]);
  expect(await staleFiles(await temporaryFolder())).toEqual([...generatedFiles().keys()]);
});

test("a profile that is wrong, or asks the Internet, is told with its file", async () => {
  const folder = await temporaryFolder();
  const ark = await readFile(path.join(ROOT, "games/ark.yaml"), "utf8");
  await writeFile(path.join(folder, "ark.yaml"), ark.replace("type: ase", "type: asa"));
  await writeFile(path.join(folder, "ark2.yaml"), ark.replace("id: ark", "id: ark2").replace("type: ase", "type: arrk"));
  await writeFile(path.join(folder, "ark3.yaml"), ark.replace("id: ark", "id: ark3").replace("port: 7777", "port: none"));
  expect(await profileProblems(folder)).toEqual([
    expect.stringMatching(/ark3\.yaml:\d+:11: ports\.game\.port: expected a number, got text$/),
    'games/ark.yaml: the query type "asa" asks a service on the Internet',
    'games/ark2.yaml: gamedig knows no type "arrk"',
  ]);
});

test("rooms that know each other are told, others are not", async () => {
  const root = await temporaryFolder();
  const files: Record<string, string> = {
    "worker/index.ts": 'import { x } from "../agent/main.ts";\nimport "../schemas/index.ts";\n',
    "worker/deep/a.ts": 'export * from "./b.ts";\nconst c = await import("../../agent/c.ts");\n',
    "agent/main.ts": "import type {\n  A,\n} from '../worker/index.ts';\n",
    "sandbox/web.ts": 'import { a } from "../agent/a.ts";\nimport "node:fs";\nimport z from "zod";\n',
    "schemas/a.ts": 'import "../sandbox/x.ts";\n',
    "e2e/all.ts": 'import "../agent/a.ts";\nimport "../worker/a.ts";\n',
    "worker/notes.md": 'import "../agent/a.ts"',
  };
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), content);
  }
  expect(await importProblems(root)).toEqual([
    "schemas/a.ts imports ../sandbox/x.ts: schemas/ must not know sandbox/",
    "worker/deep/a.ts imports ../../agent/c.ts: worker/ must not know agent/",
    "worker/index.ts imports ../agent/main.ts: worker/ must not know agent/",
    "agent/main.ts imports ../worker/index.ts: agent/ must not know worker/",
    "sandbox/web.ts imports ../agent/a.ts: sandbox/ must not know agent/",
  ]);
});

test("imports are found in each of their forms", () => {
  const source = `import a from "./a.ts"; import "./b.ts"; export { c } from './c.ts'; const d = import("./d.ts"); import { e } from "e";`;
  expect(importsOf(source)).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts"]);
});

test("the generated JSON Schemas say the same as the schemas: the shipped files fit them", async () => {
  const files = generatedFiles();
  const schema = (name: string) => z.fromJSONSchema(JSON.parse(files.get(`schemas/json/${name}.schema.json`) ?? ""));
  const example = parse(await readFile(path.join(ROOT, "config.example.yaml"), "utf8"));
  expect(schema("config").safeParse(example).success).toBe(true);
  expect(schema("config").safeParse({ ...example, sevrers: [] }).success).toBe(false);
  for (const game of ["ark", "rust", "minecraft-java"]) {
    const profile = parse(await readFile(path.join(ROOT, `games/${game}.yaml`), "utf8"));
    expect(schema("profile").safeParse(profile).success, game).toBe(true);
    expect(schema("profile").safeParse({ ...profile, id: "A B" }).success, game).toBe(false);
  }
});

test("the protocol's file has every message, and each reference in it leads somewhere", () => {
  const text = generatedFiles().get("schemas/json/protocol.schema.json") ?? "";
  const { $defs } = JSON.parse(text);
  expect(Object.keys($defs)).toEqual(
    expect.arrayContaining(["PollRequest", "PollResponse", "EnrollRequest", "ResultRequest", "Report", "Job"]),
  );
  for (const [, name] of text.matchAll(/"\$ref": "#\/\$defs\/([^"]+)"/g)) expect($defs).toHaveProperty(name ?? "");
  expect(text).not.toContain("__shared");
});

test("the config reference has a row for each key of the config", async () => {
  const reference = generatedFiles().get("docs/user/config.md") ?? "";
  for (const key of ["state", "servers", "keep_last", "password_file", "profile_globs", "pid_file", "compression", "address"]) {
    expect(reference).toContain(`| \`${key}\` |`);
  }
  expect(reference).toContain("## `servers[].backup.store (type: local)`");
});
