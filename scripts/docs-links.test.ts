import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "./generated.ts";

const SKIPPED = new Set(["node_modules", "dist", "coverage"]);

async function filesOf(folder: string, ending: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: false, withFileTypes: true });
  const found = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) || entry.name.startsWith(".") ? [] : filesOf(path, ending);
      return entry.isFile() && entry.name.endsWith(ending) ? [path] : [];
    }),
  );
  return found.flat().sort();
}

/** Markdown without its code: what stands there is no link and no heading. */
function prose(markdown: string): string {
  return markdown.replace(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\2 *$/gm, "").replace(/<!--[\s\S]*?-->/g, "");
}

/** The anchors that GitHub gives to headings: lower case, without punctuation, spaces as `-`, numbered when they come again. */
function anchorsOf(markdown: string): Set<string> {
  const counts = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ""] of prose(markdown).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, "").replaceAll(" ", "-");
    const earlier = counts.get(slug) ?? 0;
    counts.set(slug, earlier + 1);
    anchors.add(earlier === 0 ? slug : `${slug}-${earlier}`);
  }
  return anchors;
}

/** Targets of links and images. */
function linksOf(markdown: string): string[] {
  const text = prose(markdown).replace(/`[^`\n]*`/g, "");
  return Array.from(text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g), (match) => match[1] ?? "");
}

async function problemsOf(file: string): Promise<string[]> {
  const problems: string[] = [];
  for (const link of linksOf(await readFile(file, "utf8"))) {
    if (/^(?:https?|mailto):/.test(link)) continue;
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : resolve(dirname(file), decodeURIComponent(path));
    const where = `${relative(ROOT, file)} links to ${link}`;
    if (relative(ROOT, target).split(sep)[0] === "..") problems.push(`${where}, which is outside the project`);
    else if (!existsSync(target)) problems.push(`${where}, which does not exist`);
    else if (anchor !== undefined && !(target.endsWith(".md") && anchorsOf(await readFile(target, "utf8")).has(anchor)))
      problems.push(`${where}, which has no such heading`);
  }
  return problems;
}

describe("the documents", () => {
  it("have only links, images and anchors that lead somewhere", async () => {
    const files = await filesOf(ROOT, ".md");
    expect(files.map((file) => relative(ROOT, file))).toContain("README.md");
    expect((await Promise.all(files.map(problemsOf))).flat()).toEqual([]);
  });

  it("are looked through for links as GitHub reads them", () => {
    const text = "# A *b*: c's `d`\n## Same\n## Same\n```\n# no\n[no](no.md)\n```\n[x](a.md#y) ![i](<b.png>) `[no](c.md)`";
    expect(linksOf(text)).toEqual(["a.md#y", "b.png"]);
    expect([...anchorsOf(text)]).toEqual(["a-b-cs-d", "same", "same-1"]);
  });
});

/** Codes that a source file names, by the places where codes stand. */
function codesIn(source: string): string[] {
  const patterns = [
    // new AgentError("code", …), super("code", …) of its subclasses, fail("code", …) and failed("code", …) around it
    /\b(?:new AgentError|super|fail|failed)\(\s*"([a-z]+(?:-[a-z]+)+)"/g,
    // { code: "code", … } of problems and findings; const code = known ? … : "code"
    /\bcode(?::| =)[^;,\n]*"([a-z]+(?:-[a-z]+)+)"/g,
  ];
  return patterns.flatMap((pattern) => Array.from(source.matchAll(pattern), (match) => match[1] ?? ""));
}

/** Where an AgentError gets a code that it was given by somebody else, who names it: here it need not be found. */
const PASSED_ON: Record<string, string[]> = {
  "agent/cli/backup.ts": ["error.code"],
  "agent/backup/workers/errors.ts": ["code"],
  "agent/control-plane/answers.ts": ["named.code"],
  "agent/control-plane/clock-skew.ts": ["error.code"],
  "agent/state/sqlite.ts": ["code"],
  "agent/cli/restore.ts": ["refused.code"],
  "agent/restore/in-place.ts": ["problem.code"],
};

describe("docs/user/troubleshooting.md", async () => {
  const text = await readFile(join(ROOT, "docs/user/troubleshooting.md"), "utf8");
  const named = new Set(Array.from(text.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g), (match) => match[1] ?? ""));
  const sources = async (room: string) => {
    const files = (await filesOf(join(ROOT, room), ".ts")).filter((file) => !/\.test\.ts$|[\\/]testing[\\/]/.test(file));
    return Promise.all(
      files.map(async (file) => ({ file: relative(ROOT, file).replaceAll(sep, "/"), source: await readFile(file, "utf8") })),
    );
  };

  it("explains every refusal of the Worker", async () => {
    const refusals = await readFile(join(ROOT, "worker/refusals.ts"), "utf8");
    const table = /const REFUSALS = \{\n([\s\S]*?)\n\} as const/.exec(refusals)?.[1] ?? "";
    const codes = Array.from(table.matchAll(/^ {2}"?([a-z]+(?:-[a-z]+)*)"?: \[/gm), (match) => match[1] ?? "");
    expect(codes.length).toBeGreaterThan(30);
    expect(codes.filter((code) => !named.has(code))).toEqual([]);
  });

  it("explains every code of the agent and of the guild's jobs", async () => {
    const all = [...(await sources("agent")), ...(await sources("setup")), ...(await sources("worker/guild"))];
    const codes = new Set(all.flatMap(({ source }) => codesIn(source)));
    for (const known of ["config-invalid", "state-busy", "internal-error", "deadline-passed", "agent-lost", "no-query"]) {
      expect(codes).toContain(known);
    }
    expect([...codes].filter((code) => !named.has(code)).sort()).toEqual([]);
  });

  it("would notice a code that is made in a way that this test cannot read", async () => {
    const unread = [...(await sources("agent")), ...(await sources("setup"))].flatMap(({ file, source }) =>
      Array.from(source.matchAll(/new AgentError\(\s*([^"\s,)][^,)]*)/g), (match) => match[1] ?? "")
        .filter((expression) => PASSED_ON[file]?.includes(expression) !== true)
        .map((expression) => `${file}: new AgentError(${expression}, …)`),
    );
    expect(unread).toEqual([]);
  });

  it("names no code that nobody gives", async () => {
    const all = [...(await sources("agent")), ...(await sources("setup")), ...(await sources("worker"))]
      .map(({ source }) => source)
      .join("\n");
    const told = Array.from(text.matchAll(/^\| `([a-z]+(?:-[a-z]+)+)` \|/gm), (match) => match[1] ?? "");
    expect(told.length).toBeGreaterThan(80);
    expect(told.filter((code) => !all.includes(`"${code}"`) && !all.includes(`reconsync: ${code}:`))).toEqual([]);
    expect(told.filter((code, index) => told.indexOf(code) !== index)).toEqual([]);
  });
});
