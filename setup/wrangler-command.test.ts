import { describe, expect, test } from "vitest";
import { type Surroundings, spawnArguments, wranglerProgram } from "./wrangler-command.ts";

const LINUX: Surroundings = {
  platform: "linux",
  node: "/usr/bin/node",
  packageFolder: "/opt/reconsync",
  version: "4.156.2",
  env: {},
  exists: () => false,
};
const WINDOWS: Surroundings = { ...LINUX, platform: "win32", node: "C:\\Program Files\\nodejs\\node.exe", packageFolder: "C:\\reconsync" };
const only = (wanted: string) => (path: string) => path.replaceAll("\\", "/") === wanted.replaceAll("\\", "/");

describe("how wrangler is started", () => {
  test("is the clone's own, by the Node that runs this", () => {
    const exists = only("/opt/reconsync/node_modules/wrangler/bin/wrangler.js");
    expect(wranglerProgram({ ...LINUX, exists })).toEqual({
      file: "/usr/bin/node",
      args: ["/opt/reconsync/node_modules/wrangler/bin/wrangler.js"],
    });
  });

  test("is the pinned version through npx otherwise", () => {
    expect(wranglerProgram(LINUX)).toEqual({ file: "npx", args: ["--yes", "wrangler@4.156.2"] });
  });

  test("is npx as the script that runs us, when npm does, but not another package manager's", () => {
    const npx = "/usr/lib/node_modules/npm/bin/npx-cli.js";
    for (const by of ["/usr/lib/node_modules/npm/bin/npm-cli.js", npx]) {
      expect(wranglerProgram({ ...LINUX, env: { npm_execpath: by }, exists: only(npx) })).toEqual({
        file: "/usr/bin/node",
        args: [npx, "--yes", "wrangler@4.156.2"],
      });
    }
    expect(wranglerProgram({ ...LINUX, env: { npm_execpath: "/usr/lib/node_modules/pnpm/bin/pnpm.cjs" }, exists: () => false }).file).toBe(
      "npx",
    );
  });

  test("is on Windows the script beside node.exe, which needs no shell", () => {
    const npx = "C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npx-cli.js";
    const program = wranglerProgram({ ...WINDOWS, exists: only(npx) });
    expect(program).toEqual({ file: WINDOWS.node, args: [npx, "--yes", "wrangler@4.156.2"] });
    expect(spawnArguments(program, ["deploy", "--config", "C:\\my games\\a.json"])).toEqual({
      file: WINDOWS.node,
      args: [npx, "--yes", "wrangler@4.156.2", "deploy", "--config", "C:\\my games\\a.json"],
      verbatim: false,
    });
  });

  test("is on Windows a line for cmd.exe as the last way, with every argument as it was", () => {
    const program = wranglerProgram({ ...WINDOWS, env: { ComSpec: "C:\\Windows\\System32\\cmd.exe" } });
    expect(spawnArguments(program, ["deploy", "--config", "C:\\my & games\\a.json", "--outdir", "C:\\x y\\"])).toEqual({
      file: "C:\\Windows\\System32\\cmd.exe",
      args: ["/d", "/s", "/c", `"npx.cmd --yes wrangler@4.156.2 deploy --config "C:\\my & games\\a.json" --outdir "C:\\x y\\\\""`],
      verbatim: true,
    });
  });

  test.each(['a"b', "%PATH%", "a!b", "a\nb"])("refuses on Windows what cmd.exe would change: %j", (text) => {
    const program = wranglerProgram(WINDOWS);
    expect(() => spawnArguments(program, ["deploy", "--config", text])).toThrow(expect.objectContaining({ code: "wrangler-failed" }));
  });
});
