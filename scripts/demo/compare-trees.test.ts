import { chmod, cp, mkdir, mkdtemp, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { compareTrees } from "./compare-trees.ts";

/** Two equal trees. */
async function twins(): Promise<[string, string]> {
  const root = await mkdtemp(join(tmpdir(), "reconsync-twins-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const [a, b] = [join(root, "a"), join(root, "b")];
  await mkdir(join(a, "sub/empty"), { recursive: true });
  await writeFile(join(a, "sub/file"), Buffer.alloc(2_500_000, 7));
  await writeFile(join(a, "zero"), "");
  await symlink("sub/file", join(a, "link"));
  await cp(a, b, { recursive: true, verbatimSymlinks: true });
  return [a, b];
}

it("finds equal trees equal, and counts files and bytes", async () => {
  expect(await compareTrees(...(await twins()))).toEqual({ files: 2, bytes: 2_500_000, differences: [] });
});

it.each<[string, (copy: string) => Promise<unknown>, string]>([
  [
    "a changed byte at the end",
    async (copy) => writeFile(join(copy, "sub/file"), Buffer.concat([Buffer.alloc(2_499_999, 7), Buffer.from([8])])),
    "differs from byte",
  ],
  ["a shorter file", async (copy) => writeFile(join(copy, "sub/file"), "x"), "has 2500000 bytes, in the copy 1"],
  ["a missing file", async (copy) => unlink(join(copy, "zero")), "zero is not in the copy"],
  ["a missing empty folder", async (copy) => rm(join(copy, "sub/empty"), { recursive: true }), "is not in the copy"],
  ["an extra file", async (copy) => writeFile(join(copy, "more"), ""), "more is only in the copy"],
  ["another kind", async (copy) => unlink(join(copy, "zero")).then(() => mkdir(join(copy, "zero"))), "is a file, in the copy a folder"],
  [
    "another link target",
    async (copy) => unlink(join(copy, "link")).then(() => symlink("zero", join(copy, "link"))),
    "points to sub/file, in the copy to zero",
  ],
  ["another mode", async (copy) => chmod(join(copy, "zero"), 0o400), "has mode"],
])("sees %s", async (_, spoil, words) => {
  const [source, copy] = await twins();
  await spoil(copy);
  const { differences } = await compareTrees(source, copy);
  expect(differences).toHaveLength(1);
  expect(differences[0]).toContain(words);
});
