import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../agent/config/testing/fixtures.ts";
import { ROOT } from "./generated.ts";
import { kernelFiles, staleKernels } from "./kernel-files.ts";

const KERNELS = "agent/backup/repository/kernels";
const BINARIES = `${KERNELS}/binaries.ts`;

async function copyOfKernels(): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(path.join(root, KERNELS), { recursive: true });
  await cp(path.join(ROOT, KERNELS), path.join(root, KERNELS), { recursive: true });
  return root;
}

test("the WebAssembly that is used is what its sources give", async () => {
  expect(await staleKernels()).toEqual([]);
});

test("a changed source makes the binaries stale; other line ends do not", async () => {
  const root = await copyOfKernels();
  const binaries = await readFile(path.join(root, BINARIES), "utf8");
  await writeFile(path.join(root, BINARIES), binaries.replaceAll("\n", "\r\n"));
  expect(await staleKernels(root)).toEqual([]);
  const source = path.join(root, KERNELS, "poly1305.wat");
  await writeFile(source, (await readFile(source, "utf8")).replace("(i64.const 5)", "(i64.const 6)"));
  expect(await staleKernels(root)).toEqual([BINARIES]);
});

test("a source with a mistake is told with its line", async () => {
  const root = await copyOfKernels();
  await writeFile(path.join(root, KERNELS, "poly1305.wat"), "(module\n  (func (i32.add)))\n");
  await expect(kernelFiles(root)).rejects.toThrow(/poly1305\.wat.*:2:.*type mismatch/);
});
