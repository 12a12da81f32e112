import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { hostConfig, serverConfig } from "../testing/fixtures.ts";
import type { Ran } from "./run-program.ts";
import { installTask, parseTask, taskStatus, uninstallTask } from "./windows.ts";
import { inUserFolder, isElevated, taskXml, utf16, windowsWord } from "./windows-task.ts";

const ENV = { SystemRoot: "C:\\Windows", PUBLIC: "C:\\Users\\Public" };
const ELEVATED = '"Mandatory Label\\High Mandatory Level","Label","S-1-16-12288",""';
const CONFIG = {
  ...hostConfig("C:\\ProgramData\\ReconSync\\state.db", [serverConfig("island", "D:\\games\\ark")]),
  file: "C:\\ProgramData\\ReconSync\\config.yaml",
};
const PROGRAM = { node: "C:\\Program Files\\nodejs\\node.exe", script: "C:\\Program Files\\ReconSync\\dist\\reconsync.js" };

/** Windows' own programs, as far as what they are given goes. */
function windows(given: { groups?: string; task?: string; dryRun?: boolean; fails?: RegExp } = {}) {
  const calls: string[] = [];
  const said: string[] = [];
  let xml = "";
  const run = async (file: string, args: readonly string[]): Promise<Ran> => {
    const line = [file, ...args].join(" ");
    if (args[0] === "/Create") xml = readFileSync(args[4] ?? "", "utf16le");
    calls.push(line.replace(/\/XML \S+/, "/XML FILE"));
    if (given.fails?.test(line) === true) return { code: 1, out: "", err: "ERROR: Access is denied." };
    const out = file.endsWith("whoami.exe") ? (given.groups ?? ELEVATED) : file.endsWith("powershell.exe") ? (given.task ?? "{}") : "";
    return { code: 0, out, err: "" };
  };
  const deps = { run, env: ENV, say: (line: string) => void said.push(line), dryRun: given.dryRun === true };
  return { deps, calls, said, xml: () => xml };
}

describe("the task of Windows", () => {
  test("is made from XML in UTF-16, with the folder narrowed down, and started", async () => {
    const { deps, calls, xml } = windows();
    await installTask(deps, { config: CONFIG, ...PROGRAM, enrolled: true });
    expect(calls).toEqual([
      "C:\\Windows\\System32\\whoami.exe /groups /fo csv /nh",
      "C:\\Windows\\System32\\icacls.exe C:\\ProgramData\\ReconSync /inheritance:r /grant:r *S-1-5-32-544:(OI)(CI)F *S-1-5-18:(OI)(CI)F",
      "C:\\Windows\\System32\\schtasks.exe /Create /TN ReconSync /XML FILE /F",
      "C:\\Windows\\System32\\schtasks.exe /End /TN ReconSync",
      "C:\\Windows\\System32\\schtasks.exe /Run /TN ReconSync",
    ]);
    expect(xml().slice(1)).toBe(
      taskXml({ ...PROGRAM, configFile: CONFIG.file, stateFile: CONFIG.stateFile, logFile: "C:\\ProgramData\\ReconSync\\agent.log" }),
    );
    expect(xml().charCodeAt(0)).toBe(0xfeff);
  });

  test("is not started before the host is enrolled", async () => {
    const { deps, calls, said } = windows();
    await installTask(deps, { config: CONFIG, ...PROGRAM, enrolled: false });
    expect(calls.some((line) => line.includes("/Run"))).toBe(false);
    expect(said.at(-1)).toContain("not enrolled yet");
  });

  test("leaves a folder alone that is not ours", async () => {
    const { deps, calls } = windows();
    await installTask(deps, { config: { ...CONFIG, stateFile: "D:\\games\\state.db" }, ...PROGRAM, enrolled: true });
    expect(calls.some((line) => line.includes("icacls"))).toBe(false);
  });

  test("needs an administrator", async () => {
    const { deps } = windows({ groups: '"Mandatory Label\\Medium Mandatory Level","Label","S-1-16-8192",""' });
    await expect(installTask(deps, { config: CONFIG, ...PROGRAM, enrolled: true })).rejects.toMatchObject({ code: "not-privileged" });
    await expect(uninstallTask(deps)).rejects.toMatchObject({ code: "not-privileged" });
  });

  test("never runs as SYSTEM what a user can replace", async () => {
    const { deps, calls } = windows();
    const script = "C:\\Users\\kim\\AppData\\Roaming\\npm\\node_modules\\reconsync\\dist\\reconsync.js";
    await expect(installTask(deps, { config: CONFIG, ...PROGRAM, script, enrolled: true })).rejects.toMatchObject({
      code: "program-unsafe",
    });
    expect(calls).toEqual([]);
    expect(inUserFolder("c:/users/KIM/x.js", ENV)).toBe(true);
    expect(inUserFolder("C:\\Program Files\\Users\\x.js", ENV)).toBe(false);
  });

  test("is shown in a dry run, and nothing is run", async () => {
    const { deps, calls, said } = windows({ dryRun: true });
    await installTask(deps, { config: CONFIG, ...PROGRAM, enrolled: true });
    await uninstallTask(deps);
    expect(calls).toEqual([]);
    expect(said.join("\n")).toContain("<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>");
  });

  test("tells what Windows said when it refuses", async () => {
    const { deps } = windows({ fails: /Create/ });
    await expect(installTask(deps, { config: CONFIG, ...PROGRAM, enrolled: true })).rejects.toMatchObject({
      code: "service-failed",
      message: "schtasks.exe /Create ended with 1: ERROR: Access is denied.",
    });
  });

  test("is stopped and removed, and once more without complaint", async () => {
    const { deps, calls } = windows({ task: '{"state":4,"last":267009}' });
    await uninstallTask(deps);
    expect(calls.slice(-2).map((line) => line.split("System32\\")[1])).toEqual([
      "schtasks.exe /End /TN ReconSync",
      "schtasks.exe /Delete /TN ReconSync /F",
    ]);
    const none = windows();
    await uninstallTask(none.deps);
    expect(none.said).toEqual(["There is no task ReconSync. Nothing to remove."]);
  });

  test("reads its state back in numbers, whatever the language", async () => {
    expect(await taskStatus(windows({ task: '{"state":4,"last":267009}\r\n' }).deps)).toMatchObject({ installed: true, running: true });
    expect(parseTask('{"state":3,"last":78}')).toEqual({
      installed: true,
      running: false,
      enabled: true,
      detail: "not running, ended with 78",
    });
    expect(parseTask('{"last":0,"state":1}')).toMatchObject({ enabled: false });
    expect(parseTask("{}")).toMatchObject({ installed: false });
    expect(() => parseTask("Zugriff verweigert")).toThrow(expect.objectContaining({ code: "service-failed" }));
  });
});

describe("what Windows is given", () => {
  test("is XML in which any path stands for itself", () => {
    const xml = taskXml({ ...PROGRAM, configFile: "D:\\a & b\\<c>.yaml", stateFile: "D:\\s.db", logFile: "D:\\l.log" });
    expect(xml).toContain("&quot;D:\\a &amp; b\\&lt;c&gt;.yaml&quot; --state D:\\s.db --log D:\\l.log</Arguments>");
    expect(xml).toContain("<Command>C:\\Program Files\\nodejs\\node.exe</Command>");
    expect(xml).toContain("<Interval>PT5M</Interval>");
    expect(utf16("a")).toEqual(Buffer.from([0xff, 0xfe, 0x61, 0x00]));
  });

  test("quotes arguments as Windows' own parser reads them", () => {
    expect(windowsWord("C:\\a\\")).toBe("C:\\a\\");
    expect(windowsWord("C:\\my games\\")).toBe('"C:\\my games\\\\"');
    expect(windowsWord('a "b" c')).toBe('"a \\"b\\" c"');
    expect(windowsWord("")).toBe('""');
  });

  test("tells an administrator by number", () => {
    expect(isElevated(ELEVATED)).toBe(true);
    expect(isElevated("S-1-16-16384")).toBe(true);
    expect(isElevated("S-1-16-122880")).toBe(false);
  });
});
