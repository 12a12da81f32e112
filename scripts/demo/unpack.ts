import { execFile } from "node:child_process";
import { chmod, mkdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { path7za } from "7zip-bin";

const run = promisify(execFile);

/** Bound of one run of 7-Zip, in milliseconds. */
const UNPACK_TIMEOUT_MS = 30 * 60_000;
const OUTPUT_MAX = 256 * 1024 * 1024;

/** Unpacks an archive with 7-Zip: a program that shares nothing with what wrote it. */
export async function unpack(archive: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  // The package ships the program without its executable bit.
  await chmod(path7za, 0o755);
  const options = { timeout: UNPACK_TIMEOUT_MS, maxBuffer: OUTPUT_MAX };
  // 7-Zip names links that point out of the folder as errors and leaves them out; those are made below from what the archive says.
  const { stdout } = await run(path7za, ["x", "-y", "-bb0", `-o${into}`, archive], options).catch(
    (error: { stdout?: string; stderr?: string }) => {
      const said = `${error.stdout ?? ""}${error.stderr ?? ""}`;
      if (!/Dangerous (symbolic )?link path was ignored/i.test(said)) throw error;
      return { stdout: said };
    },
  );
  if (/Data Error|CRC Failed|Unexpected end/i.test(stdout)) throw new Error(`7-Zip found the archive broken:\n${stdout}`);
  const listing = await run(path7za, ["l", "-slt", "-ba", "-sccUTF-8", archive], options);
  for (const entry of listing.stdout.split(/\r?\n\r?\n/)) {
    const path = /^Path = (.*)$/m.exec(entry)?.[1];
    const isLink = /^Attributes = .*\bl[rwx-]{9}$/m.test(entry);
    if (path !== undefined && isLink) await restoreLink(archive, into, path);
  }
}

async function restoreLink(archive: string, into: string, path: string): Promise<void> {
  const at = join(into, path);
  const { stdout: target } = await run(path7za, ["e", "-so", archive, path], { maxBuffer: OUTPUT_MAX });
  const existing = await readlink(at).catch(() => null);
  if (existing === target) return;
  await mkdir(dirname(at), { recursive: true });
  await rm(at, { force: true });
  if (process.platform === "win32") await writeFile(at, target);
  else await symlink(target, at);
}
