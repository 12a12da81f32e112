import type { GameProfile } from "../../schemas/profile.ts";
import { AgentError, EXIT } from "../errors.ts";

/** The files of one player, as globs. @throws AgentError `player-files-unknown` when the profile does not tell which they are */
export function playerPaths(profile: Pick<GameProfile, "name" | "players">, player: string): string[] {
  const globs = (profile.players ?? []).flatMap((one) => one.globs);
  if (globs.length > 0) return globs.map((glob) => glob.replaceAll("{player}", escaped(player)));
  const text = `The profile of ${profile.name} does not tell which files are a player's own. Restore them by their paths instead.`;
  throw new AgentError("player-files-unknown", text, { exitCode: EXIT.usage });
}

/** The player's name as it stands, also where a glob would read something into it. */
function escaped(player: string): string {
  return player.replaceAll(/[*?[\]{}()!+@|\\]/g, "\\$&");
}
