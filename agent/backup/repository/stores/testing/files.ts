import { createHash } from "node:crypto";
import { seededBytes } from "../../../testing/tree.ts";
import type { FileInfo } from "../store.ts";

/** A file as a repository has it: named by its own hash. */
export interface TestFile {
  name: string;
  bytes: Buffer;
}

export function fileOf(bytes: Buffer): TestFile {
  return { name: createHash("sha256").update(bytes).digest("hex"), bytes };
}

/** The same file for the same size and seed. */
export function testFile(size: number, seed: number): TestFile {
  return fileOf(seededBytes(size, seed));
}

/** A listing in the order of its names, so that two can be compared. */
export async function sorted(listing: AsyncIterable<FileInfo>): Promise<FileInfo[]> {
  const found = await collect(listing);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** As a listing has it. */
export function infoOf({ name, bytes }: TestFile): FileInfo {
  return { name, bytes: bytes.length };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
