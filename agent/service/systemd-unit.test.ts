import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ControlConfig } from "../config/host-config.ts";
import { EXIT } from "../errors.ts";
import { hostConfig, serverConfig, temporaryFolder } from "../testing/fixtures.ts";
import { NEEDS_A_PERSON } from "./exit-codes.ts";
import { pathsOf } from "./needs.ts";
import { stateIsSystemds, systemdUnit, type UnitPlan, word } from "./systemd-unit.ts";

const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
/** systemd-analyze's "exposure", 0 to 100 here; the average service has more than 90. */
const EXPOSURE_MAX = { account: 35, root: 45 };

const PLAN: UnitPlan = {
  scope: "system",
  node: process.execPath,
  script: "/usr/local/lib/reconsync/dist/reconsync.js",
  configFile: "/etc/reconsync/config.yaml",
  stateFile: "/var/lib/reconsync/state.db",
  account: "games",
  environmentFile: "/etc/reconsync/environment",
  credentials: [{ name: "query_password", file: "/etc/reconsync/secrets/query_password" }],
  writable: ["/srv/ark", '/srv/my 100% "game"', "/mnt/back\\ups"],
  needed: ["/srv/ark", "/etc/reconsync/config.yaml"],
};

const value = (unit: string, key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];

async function written(plan: UnitPlan): Promise<string> {
  const file = join(await temporaryFolder(), "reconsync.service");
  await writeFile(file, systemdUnit(plan));
  return file;
}

describe("the unit", () => {
  test("starts the agent with everything named, and gives it the time that it asks for to stop", () => {
    const unit = systemdUnit(PLAN);
    expect(value(unit, "ExecStart")).toBe(
      `${process.execPath} /usr/local/lib/reconsync/dist/reconsync.js run --config /etc/reconsync/config.yaml --state /var/lib/reconsync/state.db`,
    );
    expect(value(unit, "TimeoutStopSec")).toBe("60");
    expect(value(unit, "StateDirectory")).toBe("reconsync");
    expect(value(unit, "LoadCredential")).toBe("query_password:/etc/reconsync/secrets/query_password");
    expect(unit).toContain("\n# A file in /etc/reconsync/secrets is the secret of its name");
  });

  test("is not started again after codes that need a person, and is after all others that are failures", () => {
    expect(value(systemdUnit(PLAN), "RestartPreventExitStatus")).toBe(NEEDS_A_PERSON.join(" "));
    const again = Object.values(EXIT).filter((code) => code !== EXIT.ok && !NEEDS_A_PERSON.includes(code));
    expect(again).toEqual([EXIT.failed, EXIT.unavailable]);
  });

  test("ends alone when it may have started game servers, and may write where they do", () => {
    expect(value(systemdUnit(PLAN), "KillMode")).toBe("mixed");
    expect(value(systemdUnit({ ...PLAN, startsGames: true }), "KillMode")).toBe("process");
    const times = { stopTimeoutMs: 1, startTimeoutMs: 1 };
    const files = { cwd: "/srv/server", pidFile: "/run/game/x.pid", logFile: "/var/log/game/x.log" };
    const process: ControlConfig = { type: "process", start: ["/opt/x"], ...files, stopSignal: "SIGTERM", kill: false, env: {}, ...times };
    const own = { ...serverConfig("a"), control: process };
    const config = hostConfig("/var/lib/reconsync/state.db", [own]);
    expect(pathsOf(config, "system")).toMatchObject({
      writable: expect.arrayContaining(["/srv/game", "/srv/server", "/run/game", "/var/log/game"]),
      needed: expect.arrayContaining(["/opt/x"]),
      startsGames: true,
    });
    // tmux and others meet in /tmp.
    expect(value(systemdUnit({ ...PLAN, startsGames: true }), "PrivateTmp")).toBe("no");
    const control: ControlConfig = { type: "systemd", unit: "x.service", user: false, ...times };
    expect(pathsOf(hostConfig("/var/lib/reconsync/state.db", [{ ...serverConfig("a"), control }]), "system").startsGames).toBeUndefined();
  });

  test("has no home and a /tmp of its own, unless something that it needs lies there", () => {
    expect(value(systemdUnit(PLAN), "ProtectHome")).toBe("yes");
    expect(value(systemdUnit(PLAN), "PrivateTmp")).toBe("yes");
    const unit = systemdUnit({ ...PLAN, needed: ["/home/games/ark", "/tmp/valheim.pid"] });
    expect([value(unit, "ProtectHome"), value(unit, "PrivateTmp")]).toEqual(["read-only", "no"]);
    expect(value(systemdUnit({ ...PLAN, needed: ["/homes/ark", "/tmpfs"] }), "ProtectHome")).toBe("yes");
  });

  test("lets only root keep a few capabilities", () => {
    expect(value(systemdUnit(PLAN), "CapabilityBoundingSet")).toBe("");
    expect(value(systemdUnit({ ...PLAN, account: undefined }), "CapabilityBoundingSet")).toContain("CAP_DAC_READ_SEARCH");
  });

  test("of a user asks for nothing that needs the system", () => {
    const unit = systemdUnit({ ...PLAN, scope: "user", account: undefined });
    for (const key of ["ProtectSystem", "PrivateTmp", "PrivateDevices", "CapabilityBoundingSet", "User", "StateDirectory"]) {
      expect(value(unit, key)).toBeUndefined();
    }
    expect(value(unit, "NoNewPrivileges")).toBe("yes");
  });

  test("writes any path as systemd reads it", () => {
    expect(word("/srv/ark")).toBe("/srv/ark");
    expect(word("-/srv/my game")).toBe('"-/srv/my game"');
    expect(word("/srv/100%")).toBe("/srv/100%%");
    expect(word('/srv/"a\\b')).toBe('"/srv/\\"a\\\\b"');
    expect(systemdUnit({ ...PLAN, configFile: "/srv/$HOME/c.yaml" })).toContain('--config "/srv/$$HOME/c.yaml"');
  });

  test("leaves the state's folder to systemd where that makes it", () => {
    const config = hostConfig("/var/lib/reconsync/state.db", [serverConfig("island", "/srv/ark")]);
    expect(stateIsSystemds({ scope: "system", stateFile: config.stateFile })).toBe(true);
    expect(pathsOf(config, "system").writable).toEqual(["/srv/ark", "/srv/backups"]);
    expect(pathsOf({ ...config, stateFile: "/opt/state/state.db" }, "system").writable).toEqual(["/srv/ark", "/srv/backups", "/opt/state"]);
  });
});

describe("systemd-analyze", () => {
  const plans: [string, UnitPlan, number][] = [
    ["an account", PLAN, EXPOSURE_MAX.account],
    ["root", { ...PLAN, account: undefined }, EXPOSURE_MAX.root],
  ];

  test.skipIf(!analyze).each(plans)(
    "accepts the unit of %s without a warning, and finds little exposed (skipped: install systemd)",
    async (_, plan, max) => {
      const folder = await temporaryFolder();
      const script = join(folder, "reconsync.js");
      await writeFile(script, "");
      const file = await written({ ...plan, script });
      const verify = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
      expect({ status: verify.status, err: verify.stderr }).toEqual({ status: 0, err: "" });
      const security = spawnSync("systemd-analyze", ["security", "--offline=true", `--threshold=${max}`, file], { encoding: "utf8" });
      expect(security.stdout).toContain("Overall exposure level");
      expect(security.status).toBe(0);
    },
  );

  test.skipIf(!analyze)("accepts the unit of a user's systemd (skipped: install systemd)", async () => {
    const file = await written({ ...PLAN, scope: "user", account: undefined });
    const runtime = await temporaryFolder();
    await mkdir(join(runtime, "systemd"));
    await chmod(runtime, 0o700);
    const env = { ...process.env, XDG_RUNTIME_DIR: runtime };
    const verify = spawnSync("systemd-analyze", ["--user", "verify", file], { encoding: "utf8", env });
    expect({ status: verify.status, err: verify.stderr }).toEqual({ status: 0, err: "" });
  });

  test.skipIf(!analyze)("would tell of a mistake in it (skipped: install systemd)", async () => {
    const file = join(await temporaryFolder(), "reconsync.service");
    await writeFile(file, systemdUnit(PLAN).replace("ProtectSystem=strict", "ProtectSystems=strict"));
    expect(spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" }).stderr).toContain("ProtectSystems");
  });
});
