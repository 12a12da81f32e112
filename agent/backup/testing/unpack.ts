import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { path7za } from "7zip-bin";

const run = promisify(execFile);

/** The package brings 7-Zip without the right to run it, so a copy is used. */
async function sevenZip(scratch: string): Promise<string> {
  const program = join(scratch, process.platform === "win32" ? "7za.exe" : "7za");
  await mkdir(scratch, { recursive: true });
  await copyFile(path7za, program);
  await chmod(program, 0o755);
  return program;
}

/** Unpacks an archive with 7-Zip, an implementation that is not ours. Answers what it printed; throws when it found an error. */
export async function unpack(archive: string, target: string, scratch: string): Promise<string> {
  const program = await sevenZip(scratch);
  await mkdir(target, { recursive: true });
  const { stdout } = await run(program, ["x", "-y", `-o${target}`, archive], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Has 7-Zip read an archive whole. */
export async function test7z(archive: string, scratch: string): Promise<string> {
  const { stdout } = await run(await sevenZip(scratch), ["t", archive], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
