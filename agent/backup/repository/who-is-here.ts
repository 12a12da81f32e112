import { hostname, userInfo } from "node:os";

/** Who makes snapshots and locks here. An account without a name goes by its number. */
export function whoIsHere(): { hostname: string; username: string } {
  try {
    return { hostname: hostname(), username: userInfo().username };
  } catch (error) {
    // Containers often run under a number that no account has.
    if (!(error instanceof Error && "code" in error)) throw error;
    return { hostname: hostname(), username: String(process.getuid?.() ?? "unknown") };
  }
}
