import { join } from "node:path";
import { ROOT } from "../../scripts/embedded/worker.ts";
import { installed, type Step } from "./measured.ts";

/** One program that makes backups, as its users call it. */
export interface Tool {
  name: string;
  /** What to install when it is not there. */
  package: string;
  /** It makes a whole archive each time: nothing is incremental. */
  full: boolean;
  present(): Promise<boolean>;
  /** Steps that make the repository and are not measured. */
  init(place: Place): Step[];
  backup(place: Place): Step;
  /** Absent: not compared. */
  restore?(place: Place, target: string): Step;
}

/** Where one tool works in one round. */
export interface Place {
  /** The world that is backed up. */
  world: string;
  /** Folder of the repository or the archives; or an address. */
  repository: string;
  /** Folder for caches and password files. */
  aside: string;
}

export const PASSWORD = "correct horse battery staple";

const bundle = join(ROOT, "dist/reconsync.js");
const ours = ({ repository, aside }: Place, ...args: string[]): Step => ({
  program: process.execPath,
  args: [bundle, "repository", ...args, "--repo", repository, "--password-file", join(aside, "password"), "--cache", join(aside, "cache")],
});
const restic = ({ repository, aside }: Place, ...args: string[]): Step => ({
  program: "restic",
  args: ["-q", "-r", repository, ...args],
  env: { RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: join(aside, "cache") },
});
const borg = ({ aside }: Place, cwd: string | undefined, ...args: string[]): Step => ({
  program: "borg",
  args,
  cwd,
  env: { BORG_PASSPHRASE: PASSWORD, BORG_BASE_DIR: join(aside, "borg"), BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes" },
});
const shell = (cwd: string | undefined, script: string, ...args: string[]): Step => ({
  program: "sh",
  args: ["-c", script, "sh", ...args],
  cwd,
});

export const OURS: Tool = {
  name: "reconsync",
  package: "",
  full: false,
  present: async () => true,
  init: (place) => [ours(place, "init")],
  backup: (place) => ours(place, "backup", place.world),
  restore: (place, target) => ours(place, "restore", "latest", "--target", target),
};

export const RESTIC: Tool = {
  name: "restic",
  package: "restic",
  full: false,
  present: () => installed("restic", ["version"]),
  init: (place) => [restic(place, "init")],
  backup: (place) => restic(place, "backup", place.world),
  restore: (place, target) => restic(place, "restore", "latest", "--target", target),
};

/** Each archive has a name of its own. */
let archives = 0;

export const OTHERS: readonly Tool[] = [
  {
    name: "borg",
    package: "borgbackup",
    full: false,
    present: () => installed("borg"),
    init: (place) => [borg(place, undefined, "init", "-e", "repokey", place.repository)],
    backup: (place) => borg(place, undefined, "create", "-C", "zstd,3", `${place.repository}::a${++archives}`, place.world),
    restore: (place, target) => borg(place, target, "extract", `${place.repository}::a${archives}`),
  },
  {
    name: "tar | zstd -T0",
    package: "zstd",
    full: true,
    present: () => installed("zstd"),
    init: (place) => [shell(undefined, 'mkdir -p "$1"', place.repository)],
    backup: (place) => shell(undefined, 'tar -cf - "$1" | zstd -q -f -3 -T0 -o "$2/world.tar.zst"', place.world, place.repository),
    restore: (place, target) => shell(undefined, 'zstd -q -dc "$1/world.tar.zst" | tar -xf - -C "$2"', place.repository, target),
  },
];

/** The agent's own archives: the whole command, with a config and a journal. */
export const OUR_ZIP: Tool = {
  name: "reconsync zip",
  package: "",
  full: true,
  present: async () => true,
  init: (place) => [
    shell(undefined, 'mkdir -p "$1" "$2"', place.repository, place.aside),
    shell(undefined, 'printf %s "$1" > "$2"', configFor(place), join(place.aside, "config.yaml")),
  ],
  backup: (place) => ({ program: process.execPath, args: [bundle, "backup", "world", "--config", join(place.aside, "config.yaml")] }),
};

function configFor({ world, repository, aside }: Place): string {
  const backup = { format: "zip", profile_globs: false, include: ["**"], store: { type: "local", folder: repository } };
  // JSON is YAML.
  return JSON.stringify({ state: join(aside, "state.db"), servers: [{ id: "world", game: "ark", folder: world, query: false, backup }] });
}

export const ZIP: Tool = {
  name: "zip -1",
  package: "zip",
  full: true,
  present: () => installed("zip", ["-v"]),
  init: (place) => [shell(undefined, 'mkdir -p "$1"', place.repository)],
  backup: (place) => shell(place.world, 'rm -f "$1/world.zip" && zip -q -y -r -1 "$1/world.zip" .', place.repository),
  restore: (place, target) => shell(undefined, 'unzip -q "$1/world.zip" -d "$2"', place.repository, target),
};

/** Sends as many bytes to the Worker as our first backup stored, and does nothing else: what the Worker itself takes for them. */
export const UPLOAD_ALONE = "upload alone";

export function uploadStep(address: string, bytes: number): Step {
  return { program: process.execPath, args: [join(ROOT, "bench/backup/upload-alone.ts"), address, String(bytes)] };
}
