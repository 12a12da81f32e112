import { join, posix, win32 } from "node:path";
import { AgentError, EXIT } from "../agent/errors.ts";

/** A program and the arguments that come before wrangler's own. */
export interface Program {
  file: string;
  args: string[];
  /** For cmd.exe: the arguments make one line, quoted already. */
  shellLine?: true;
}

export interface Surroundings {
  platform: NodeJS.Platform;
  /** The Node that runs this program. */
  node: string;
  /** The folder of package.json, games/ and dist/. */
  packageFolder: string;
  /** The exact wrangler that this version was made with. */
  version: string;
  env: NodeJS.ProcessEnv;
  exists: (path: string) => boolean;
}

/**
 * How wrangler is started: the clone's own; otherwise the pinned version through npx. npx is run as the script that it is wherever it
 * can be found, since Node starts no `.cmd` file without a shell (CVE-2024-27980). A shell is the last way, on Windows only.
 */
export function wranglerProgram({ platform, node, packageFolder, version, env, exists }: Surroundings): Program {
  const own = join(packageFolder, "node_modules/wrangler/bin/wrangler.js");
  if (exists(own)) return { file: node, args: [own] };
  const pinned = ["--yes", `wrangler@${version}`];
  const npx = npxScripts(platform, node, env).find(exists);
  if (npx !== undefined) return { file: node, args: [npx, ...pinned] };
  if (platform !== "win32") return { file: "npx", args: pinned };
  return { file: env.ComSpec ?? "cmd.exe", args: ["npx.cmd", ...pinned], shellLine: true };
}

/** Where npm keeps npx: as npm says when it runs us, and beside node.exe, where Node's installer for Windows puts it. */
function npxScripts(platform: NodeJS.Platform, node: string, env: NodeJS.ProcessEnv): string[] {
  const path = platform === "win32" ? win32 : posix;
  const npm = env.npm_execpath;
  const told = npm !== undefined && /^np[mx]-cli\.js$/.test(path.basename(npm)) ? [path.join(path.dirname(npm), "npx-cli.js")] : [];
  return platform === "win32" ? [...told, path.join(path.dirname(node), "node_modules", "npm", "bin", "npx-cli.js")] : told;
}

/** What is given to `spawn`. @throws AgentError `wrangler-failed`: an argument that cmd.exe would change */
export function spawnArguments(program: Program, args: readonly string[]): { file: string; args: string[]; verbatim: boolean } {
  const all = [...program.args, ...args];
  if (program.shellLine === undefined) return { file: program.file, args: all, verbatim: false };
  return { file: program.file, args: ["/d", "/s", "/c", `"${all.map(quotedForCmd).join(" ")}"`], verbatim: true };
}

/** cmd.exe has no way to write `"`, `%` or `!` that holds everywhere, so they are refused. In double quotes all else stands for itself. */
function quotedForCmd(text: string): string {
  if (/["%!\r\n]/.test(text)) {
    throw new AgentError("wrangler-failed", `"${text}" cannot be handed to npx.cmd; choose a folder whose name has no ", % or !`, {
      exitCode: EXIT.usage,
    });
  }
  return /^[A-Za-z0-9_@.:\\/=-]+$/.test(text) ? text : `"${text.replace(/\\+$/, "$&$&")}"`;
}
