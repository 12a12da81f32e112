import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { describeConfig } from "./redact.ts";
import { load, problemsOf } from "./testing/load.ts";

const withControl = (control: string, rest = "") => `state: /var/lib/reconsync/state.db
servers:
  - id: island
    game: ark
    folder: /srv/ark
    control: ${control}
    backup: {store: {type: r2}}
${rest}`;
const controlOf = async (control: string, platform: NodeJS.Platform = "linux") =>
  (await load(platform === "win32" ? windows(control) : withControl(control), { platform })).servers[0]?.control;
const windows = (control: string) =>
  withControl(control).replace("/var/lib/reconsync/state.db", "C:\\rs\\state.db").replace("/srv/ark", "D:\\ark");

describe("control in the config", () => {
  test("comes to programs, units, services and processes with their times and files", async () => {
    expect(await controlOf("{type: commands, start: [docker, start, ark], stop: [docker, stop, ark]}")).toEqual({
      type: "commands",
      start: ["docker", "start", "ark"],
      stop: ["docker", "stop", "ark"],
      logFile: "/var/lib/reconsync/control/island.log",
      env: {},
      stopTimeoutMs: 180_000,
      startTimeoutMs: 600_000,
    });
    expect(await controlOf("{type: systemd, unit: ark@island, user: true, stop_timeout: 10m, start_timeout: 1h, probe: port}")).toEqual({
      type: "systemd",
      unit: "ark@island.service",
      user: true,
      stopTimeoutMs: 600_000,
      startTimeoutMs: 3_600_000,
      probe: "port",
    });
    expect(await controlOf("{type: windows-service, name: Ark Island}", "win32")).toMatchObject({
      type: "windows-service",
      name: "Ark Island",
    });
    expect(await controlOf("{type: process, start: ['D:\\server\\ark.exe', -log]}", "win32")).toMatchObject({
      start: ["D:\\server\\ark.exe", "-log"],
      cwd: "D:\\ark",
      pidFile: "C:\\rs\\control\\island.pid",
      logFile: "C:\\rs\\control\\island.log",
      stopSignal: "SIGTERM",
      kill: false,
    });
    expect(
      await controlOf("{type: process, start: [/srv/run], cwd: /srv/, pid_file: /run/x.pid, log: /var/log/x.log, kill: true}"),
    ).toMatchObject({
      ...{ cwd: "/srv", pidFile: "/run/x.pid", logFile: "/var/log/x.log", kill: true },
    });
  });

  test("of a process tells the monitor its pid file, unless the config names another", async () => {
    const own = "{type: process, start: [/srv/run], pid_file: /run/x.pid}";
    expect((await load(withControl(own))).servers[0]?.process).toEqual({ pidFile: "/run/x.pid" });
    const named = withControl(own).replace("    control", "    process: {name: ShooterGame}\n    control");
    expect((await load(named)).servers[0]?.process).toEqual({ name: "ShooterGame" });
  });

  test("is shown in its own words, variables without their values", async () => {
    const text = describeConfig(await load(withControl("{type: process, start: [/srv/run], env: {TOKEN: hunter2}, stop_timeout: 90s}")));
    expect(text).not.toContain("hunter2");
    expect(parse(text).servers[0].control).toMatchObject({
      type: "process",
      start: ["/srv/run"],
      env: { TOKEN: "«redacted»" },
      stop_timeout: "90s",
    });
    expect(parse(describeConfig(await load(withControl("{type: systemd, unit: ark.service}")))).servers[0].control).toMatchObject({
      unit: "ark.service",
      user: false,
    });
  });

  test.each([
    ["{type: systemd, unit: ark}", "control.unit: use the name of one service"],
    ["{type: systemd, unit: '*.service'}", "control.unit: use the name of one service"],
    ["{type: systemd, unit: reconsync.service}", "control.unit: is the agent itself. Name the unit of the game server"],
    ["{type: windows-service, name: Ark}", "control.type: is for Windows only. Take systemd"],
    ["{type: commands, start: [./start.sh], stop: [kill]}", "control.start: must begin with the absolute path of a program"],
    ["{type: commands, start: [a]}", "control.stop: is missing"],
    [
      "{type: process, start: [/srv/run], pid_file: /srv/ark/x.pid}",
      "control.pid_file: lies in the server's folder, which a restore replaces",
    ],
    ["{type: process, start: [/srv/run], log: x.log}", "control.log: must be an absolute path"],
    ["{type: process, start: [/srv/run], stop_timeout: 2h}", "control.stop_timeout: must be from 5s to 1h"],
    ["{type: process, start: [/srv/run], stop_signal: SIGKILL}", "control.stop_signal: use SIGTERM or SIGINT"],
    ["{type: shell, start: x}", "control.type: use commands, systemd, windows-service or process"],
  ])("%s is refused", async (control, message) => {
    expect((await problemsOf(withControl(control))).join("\n")).toContain(`servers[0].${message}`);
  });

  test("that contradicts the rest of the config is refused", async () => {
    const query = withControl("{type: systemd, unit: ark.service, probe: query}").replace("    control", "    query: false\n    control");
    expect(await problemsOf(query)).toEqual([expect.stringContaining("servers[0].control.probe: is query, and query is false")]);
    const second =
      "  - {id: b, game: ark, folder: /srv/b, control: {type: process, start: [/x], pid_file: /run/./x.pid}, backup: {store: {type: r2}}}\n";
    const twice = withControl("{type: process, start: [/x], pid_file: /run/x.pid}", second);
    expect(await problemsOf(twice)).toEqual([
      expect.stringContaining("servers[1].control.pid_file: is the pid_file of servers[0] already"),
    ]);
    expect(await problemsOf(windows("{type: systemd, unit: ark.service}"), { platform: "win32" })).toEqual([
      expect.stringContaining("control.type: Windows has no systemd"),
    ]);
  });
});
