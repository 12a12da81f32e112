import { describe, expect, test } from "vitest";
import { WINDOWS_SERVICE_PATTERN } from "../../schemas/config-control.ts";
import { birthQuestion, parseStat, readBirth } from "./process-identity.ts";
import { environmentOf } from "./programs.ts";
import { scProgram, serviceState } from "./windows-service.ts";

const answer = (state: string) => `
SERVICE_NAME: Valheim
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : ${state}
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
`;

describe("sc.exe", () => {
  test.each([
    ["4  RUNNING", "running"],
    ["1  STOPPED", "stopped"],
    ["3  STOP_PENDING", "running"],
    ["2  START_PENDING", "running"],
    ["7  PAUSED", "running"],
    ["9  NEW_STATE", "unknown"],
  ])("state %s is %s", (text, state) => {
    expect(serviceState({ code: 0, out: answer(text) })).toBe(state);
  });

  test("is understood in other languages, and not when it failed", () => {
    expect(serviceState({ code: 0, out: answer("1  STOPPED").replace("STATE  ", "STATUS ") })).toBe("stopped");
    expect(serviceState({ code: 1060, out: "[SC] EnumQueryServicesStatus:OpenService FAILED 1060" })).toBe("unknown");
  });

  test("is run by its full path", () => {
    expect(scProgram({ systemroot: "D:\\Win" })).toBe("D:\\Win\\System32\\sc.exe");
    expect(scProgram({})).toBe("C:\\Windows\\System32\\sc.exe");
  });

  test.each([
    ["Valheim Server", true],
    ["ark_island", true],
    ["\\\\other", false],
    ["a/b", false],
    ['a"b', false],
    ["-x", false],
  ])("%s as the name of a service: %s", (name, allowed) => {
    expect(WINDOWS_SERVICE_PATTERN.test(name)).toBe(allowed);
  });
});

describe("who a process is", () => {
  test("is asked of PowerShell by its number alone", () => {
    expect(birthQuestion(42, {}).slice(0, 4)).toEqual([
      "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
      ...["-NoProfile", "-NonInteractive", "-Command"],
    ]);
    expect(birthQuestion(42, {})[4]).toContain("Get-Process -Id 42 ");
    expect(() => birthQuestion(-1, {})).toThrow("no process id");
    expect(readBirth("134083008000000000\r\n")).toEqual({ birth: "134083008000000000" });
    expect(readBirth("none\r\n")).toBe("none");
    expect(readBirth("")).toBeUndefined();
  });

  test("is read from /proc whatever the process is called; a zombie is nobody", () => {
    const rest = "1 40 41 0 -1 4194560 0 0 0 0 7 3 0 0 20 0 1 0 98765 1 2";
    expect(parseStat(`42 (a) Z 9) S ${rest}`)).toEqual({ birth: "98765", group: 40, session: 41 });
    expect(parseStat(`42 (game) Z ${rest}`)).toBeUndefined();
    // But for a child of which it is to be known when it began.
    expect(parseStat(`42 (game) Z ${rest}`, true)).toMatchObject({ birth: "98765" });
    expect(parseStat("")).toBeUndefined();
  });
});

test("programs get what they need of the environment, under the names of the platform, and no secret", () => {
  const env = { PATH: "/bin", LC_ALL: "C", AWS_SECRET_ACCESS_KEY: "x", RECONSYNC_TOKEN: "y", HOME: "/home/ark" };
  expect(environmentOf(env, {}, "linux")).toEqual({ PATH: "/bin", LC_ALL: "C", HOME: "/home/ark" });
  expect(environmentOf({ PATH: "C:\\bin", SYSTEMROOT: "C:\\Windows", SECRET: "x" }, {}, "win32")).toEqual({
    Path: "C:\\bin",
    SystemRoot: "C:\\Windows",
  });
});
