import { describe, expect, test } from "vitest";
import { icaclsArguments, narrowAccess, sidOf } from "./windows-access.ts";

const ANN = "S-1-5-21-1004336348-1177238915-682003330-1001";

describe("access to the state on Windows", () => {
  test("is left to SYSTEM, the administrators and one account, by their ids, which are the same in every language", () => {
    expect(icaclsArguments({ kind: "folder", path: "C:\\ProgramData\\Recon Sync" }, ANN)).toEqual([
      "C:\\ProgramData\\Recon Sync",
      "/inheritance:r",
      "/grant:r",
      "*S-1-5-18:(OI)(CI)F",
      "*S-1-5-32-544:(OI)(CI)F",
      `*${ANN}:(OI)(CI)F`,
    ]);
    expect(icaclsArguments({ kind: "file", path: "D:\\state.db" }, "S-1-5-18")).toEqual([
      "D:\\state.db",
      "/inheritance:r",
      "/grant:r",
      "*S-1-5-18:F",
      "*S-1-5-32-544:F",
    ]);
  });

  test("needs the account's id, out of what whoami says", () => {
    expect(sidOf(`"basement\\ann","${ANN}"\r\n`)).toBe(ANN);
    expect(sidOf('"nt-autorität\\system","S-1-5-18"\r\n')).toBe("S-1-5-18");
    for (const odd of ["", "ann", '"a","S-1-5"x', '"S-1-5-18', '"a","S-1-1-0 & calc"']) expect(sidOf(odd)).toBeUndefined();
  });

  test("is narrowed down with the tools of the system folder, and nothing is left to do for a folder that was made", () => {
    const ran: [string, readonly string[]][] = [];
    const run = (program: string, args: readonly string[]) => {
      ran.push([program, args]);
      return `"basement\\ann","${ANN}"\r\n`;
    };
    expect(narrowAccess({ kind: "folder", path: "C:\\s" }, { SystemRoot: "D:\\Win" }, run)).toBeUndefined();
    expect(ran).toEqual([
      ["D:\\Win\\System32\\whoami.exe", ["/user", "/fo", "csv", "/nh"]],
      ["D:\\Win\\System32\\icacls.exe", icaclsArguments({ kind: "folder", path: "C:\\s" }, ANN)],
    ]);
  });

  test("of a file in a folder that was there before leaves something to do", () => {
    const warning = narrowAccess({ kind: "file", path: "C:\\s\\state.db" }, {}, () => `"a","${ANN}"`);
    expect(warning).toContain("the folder C:\\s was there before");
    expect(warning).toContain("icacls 'C:\\s' /inheritance:r /grant:r '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F'");
  });

  test("that cannot be narrowed down is a warning that says why and what to do, not a failure", () => {
    const fails = () => {
      throw new Error("Command failed: icacls\nAccess is denied.");
    };
    expect(narrowAccess({ kind: "folder", path: "C:\\s" }, {}, fails)).toMatch(
      /^other accounts may be able to read C:\\s, .*could not be narrowed down \(Command failed: icacls\)\. Do it in PowerShell, as administrator: icacls 'C:\\s'/,
    );
    expect(narrowAccess({ kind: "folder", path: "C:\\s" }, {}, () => "odd")).toContain("(whoami did not say who this is)");
  });
});
