import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { HostConfig } from "../../config/host-config.ts";
import { hostConfig, serverConfig, temporaryFolder } from "../../testing/fixtures.ts";
import { runWith } from "../run-program.ts";
import type { SystemdDeps } from "../systemd.ts";

/** Notes each call in a file; `show` answers what the test says, and a command can be told to fail. */
const SYSTEMCTL = `#!/bin/sh
echo "$*" >> "$FAKE_CALLS"
case "$*" in
  *"$FAKE_FAILS"*) [ -n "$FAKE_FAILS" ] && { echo "Failed to $*" >&2; exit 1; } ;;
esac
case "$*" in
  *show*) printf '%s\\n' "$FAKE_SHOWS" ;;
esac
exit 0
`;

export interface ServiceSite {
  folder: string;
  deps: SystemdDeps;
  config: HostConfig;
  /** What was said. */
  said: string[];
  /** A program that stands for the agent and can be started by anybody. */
  script: string;
  /** Calls of systemctl, in order. */
  calls(): Promise<string[]>;
  unit(): Promise<string>;
  /** What systemctl shows, or which of its commands fails. */
  set(given: { shows?: string; fails?: string }): void;
}

/** A host with one game server, and systemd's own program replaced: all else of the system is real. */
export async function serviceSite(given: Partial<SystemdDeps> = {}): Promise<ServiceSite> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const bin = join(folder, "bin");
  const booted = join(folder, "booted");
  for (const path of [bin, booted, join(folder, "world"), join(folder, "etc")]) await mkdir(path);
  await writeFile(join(bin, "systemctl"), SYSTEMCTL);
  await writeFile(join(bin, "loginctl"), "#!/bin/sh\necho no\n");
  const script = join(folder, "reconsync.js");
  await writeFile(script, 'console.log("reconsync 0.0.0");\n');
  for (const name of ["systemctl", "loginctl"]) await chmod(join(bin, name), 0o755);
  const file = join(folder, "etc/config.yaml");
  await writeFile(file, "servers: []\n");
  const callsFile = join(folder, "calls");
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH}`,
    FAKE_CALLS: callsFile,
    FAKE_FAILS: "",
    FAKE_SHOWS: "",
  };
  const stateFile = join(folder, "state/state.db");
  await mkdir(join(folder, "state"));
  await writeFile(stateFile, "");
  const config: HostConfig = { ...hostConfig(stateFile, [serverConfig("island", join(folder, "world"))]), file };
  const [server] = config.servers;
  if (server !== undefined) server.backup.store = { type: "local", folder: join(folder, "backups") };
  const said: string[] = [];
  const deps: SystemdDeps = {
    scope: "system",
    units: join(folder, "units"),
    uid: 0,
    run: (program, args) => runWith(env, program, args),
    say: (line) => void said.push(line),
    dryRun: false,
    booted,
    ...given,
  };
  return {
    folder,
    deps,
    config,
    said,
    script,
    calls: async () => (await readFile(callsFile, "utf8").catch(() => "")).split("\n").filter((line) => line !== ""),
    unit: () => readFile(join(deps.units, "reconsync.service"), "utf8"),
    set: ({ shows, fails }) => {
      env.FAKE_SHOWS = shows ?? "";
      env.FAKE_FAILS = fails ?? "";
    },
  };
}
