import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../scripts/embedded/worker.ts";
import { LONG } from "./parts/scene.ts";

const run = promisify(execFile);
/** Small files, and the sparse file's size in bytes. */
const [SMALL_FILES, SPARSE_BYTES] = [25_000, 5 * 1024 ** 3];

async function demo(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(ROOT, "scripts/start.ts"), "--once", ...args], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.trim().split("\n").at(-1) ?? "";
}

it("npm start -- --once backs the demo world up and verifies it", { timeout: 600_000 }, async () => {
  expect(await demo()).toMatch(/^backup verified: 218 files, \d+ bytes, identical$/);
});

it.runIf(LONG)(
  `does so for a folder of ${SMALL_FILES} files, odd names, links and a sparse file of ${SPARSE_BYTES} bytes`,
  {
    timeout: 1_200_000,
  },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "reconsync-odd-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    for (const name of ["many", "with space", "empty folder", "Üñïcödé 地図 💥"]) await mkdir(join(folder, name));
    for (let index = 0; index < SMALL_FILES; index += 1) await writeFile(join(folder, "many", `${index}.dat`), `${index}-`.repeat(20));
    await writeFile(join(folder, "Üñïcödé 地図 💥", "naïve 'x' & y.txt"), "u");
    await writeFile(join(folder, "with space", "a b  c.txt"), "s");
    await writeFile(join(folder, "zero"), "");
    await chmod(join(folder, "zero"), 0o600);
    await writeFile(join(folder, ".hidden.partial"), "p");
    await writeFile(join(folder, "sparse.bin"), "");
    await truncate(join(folder, "sparse.bin"), SPARSE_BYTES);
    if (process.platform !== "win32") {
      await symlink("with space/a b  c.txt", join(folder, "link"));
      await symlink("../outside", join(folder, "dangling"));
    }
    const line = await demo("--world", folder);
    expect(line).toMatch(new RegExp(`^backup verified: ${SMALL_FILES + 5} files, \\d+ bytes, identical$`));
  },
);

it("fails with a reason when the folder is not there", async () => {
  await expect(demo("--world", join(tmpdir(), "reconsync-nowhere"))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("The demo failed."),
  });
});
