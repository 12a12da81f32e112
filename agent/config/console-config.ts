import type { ConfigFileServer } from "../../schemas/config.ts";
import { HOLD_MAX_MINUTES, type HoldStep } from "../../schemas/hold.ts";
import type { GameProfile } from "../../schemas/profile.ts";
import type { ConsoleTarget } from "../console/console.ts";
import { DIALECTS } from "../console/dialects.ts";
import type { HoldConfig } from "./host-config.ts";
import type { Path } from "./issues.ts";
import type { Place } from "./load-config.ts";
import { isAbsolutePath } from "./paths.ts";
import { Secret } from "./secret.ts";
import { readSecretFile } from "./secret-file.ts";

/** The console of a server as it is used. There is none unless the config has a `console`: a password is nothing to be guessed. */
export async function resolveConsole(written: ConfigFileServer, profile: GameProfile, place: Place): Promise<ConsoleTarget | undefined> {
  const { source, index } = place;
  if (written.console === undefined) return undefined;
  const path: Path = ["servers", index, "console"];
  const dialect = written.console.dialect ?? profile.console?.dialect;
  // The profile's port belongs to the profile's dialect.
  const port = written.console.port ?? profile.console?.port;
  if (dialect === undefined) {
    const names = Object.keys(DIALECTS).join(", ");
    source.complain(
      path,
      `the profile "${profile.id}" does not say how ${profile.name}'s console is spoken to. Give console.dialect: ${names}`,
    );
  }
  if (port === undefined)
    source.complain(path, `the profile "${profile.id}" knows no usual port of ${profile.name}'s console. Give console.port`);
  const password = await passwordOf(written.console, path, place);
  if (dialect === undefined || port === undefined) return undefined;
  if (password === undefined && DIALECTS[dialect].needsPassword && written.console.password_file === undefined) {
    source.complain(path, "this console lets nobody in without a password. Give console.password or console.password_file");
  }
  return { dialect, address: written.console.address ?? written.address, port, ...(password !== undefined && { password }) };
}

async function passwordOf(
  { password, password_file: file }: NonNullable<ConfigFileServer["console"]>,
  path: Path,
  { source, platform, notices, sources }: Place,
): Promise<Secret | undefined> {
  if (password !== undefined) return new Secret(password);
  if (file === undefined || !isAbsolutePath(file, platform)) return undefined;
  const secret = await readSecretFile(file, platform, sources);
  if (!secret.ok) {
    source.complain([...path, "password_file"], secret.problem);
    return undefined;
  }
  if (secret.warning) notices.push(secret.warning);
  return new Secret(secret.text);
}

/**
 * How saves are held, if they are. What the profile says needs the console; a config without one gets no steps from it. Steps of the config
 * go inside those of the profile: after them before the copy, before them after it.
 */
export function resolveHold(
  { backup: { hold } }: ConfigFileServer,
  profile: GameProfile,
  hasConsole: boolean,
  { source, index }: Pick<Place, "source" | "index">,
): { hold?: HoldConfig } {
  if (hold === false) return {};
  const path: Path = ["servers", index, "backup", "hold"];
  const fromProfile = hold?.profile_steps !== false && (hasConsole || !needsConsole(profile)) ? profile.hold : undefined;
  const before = [...(fromProfile?.before.map(plain) ?? []), ...(hold?.before ?? [])];
  const after = [...(hold?.after ?? []), ...(fromProfile?.after.map(plain) ?? [])];
  const own = [...(hold?.before ?? []), ...(hold?.after ?? [])];
  if (!hasConsole && own.some((step) => "command" in step)) source.complain(path, "has console commands, so the server needs a console");
  if (hold?.required === true && before.length === 0) {
    source.complain(path, `is required, but nothing says how: ${howToHold(profile, hasConsole)}`);
  }
  if (before.length === 0 && after.length > 0) source.complain(path, "has steps after the copy and none before it");
  if (before.length === 0) return {};
  const maxMs = (hold?.max_minutes ?? HOLD_MAX_MINUTES) * 60_000;
  return { hold: { before, after, required: hold?.required ?? false, maxMs } };
}

function needsConsole({ hold }: GameProfile): boolean {
  return [...(hold?.before ?? []), ...(hold?.after ?? [])].some((step) => "command" in step);
}

function howToHold(profile: GameProfile, hasConsole: boolean): string {
  if (profile.hold !== undefined && !hasConsole) return "give the server a console, or steps of your own";
  return `the profile "${profile.id}" has no steps. Give backup.hold.before`;
}

/** A step of a profile without where it is from. */
function plain({
  sources: _sources,
  unverified: _unverified,
  note: _note,
  ...step
}: NonNullable<GameProfile["hold"]>["before"][number]): HoldStep {
  return step;
}
