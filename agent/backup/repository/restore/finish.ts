import { chmodSync, lchownSync, linkSync, lutimesSync, symlinkSync } from "node:fs";
import { applyLinkMeta, type FileMeta, firstProblem } from "./file-meta.ts";
import { makeLink } from "./folders.ts";
import { damagedPath, type FsPath } from "./names.ts";
import type { RestoreProblems } from "./problems.ts";
import type { EndWork, LinkedFile, NamedWork } from "./work.ts";

/**
 * What comes when the files of a round are written: links, and owner, mode and times of folders that are complete, inner ones first, since whatever is
 * made in a folder changes its time. Answers how many links were made.
 */
export function finishRound(
  ends: readonly EndWork[],
  overwrite: boolean,
  problems: RestoreProblems,
): { symlinks: number; hardLinks: number } {
  const made = { symlinks: 0, hardLinks: 0 };
  for (const end of ends) {
    const folder = end.kind === "folder" ? end.folder : end.at.folder;
    if (folder.state === "failed") continue;
    if (end.kind === "folder") {
      const problem = applyFolderMeta(folder.location, end.meta);
      if (problem !== null) problems.add(folder.path, "metadata", problem);
      continue;
    }
    try {
      if (end.kind === "link") {
        if (makeHardLink(end.at, end.first, overwrite, problems)) made.hardLinks += 1;
        continue;
      }
      makeLink(end.at.location, overwrite, () => symlinkSync(end.to, end.at.location));
      made.symlinks += 1;
      const problem = applyLinkMeta(end.at.location, end.meta);
      if (problem !== null) problems.add(end.at.path, "metadata", problem);
    } catch (error) {
      problems.add(end.at.path, "unwritable", error instanceof Error ? error.message : String(error));
    }
  }
  return made;
}

function applyFolderMeta(location: FsPath, { owner, mode, atime, mtime }: FileMeta): string | null {
  return firstProblem([
    () => owner !== undefined && lchownSync(location, owner.uid, owner.gid),
    () => chmodSync(location, mode),
    () => lutimesSync(location, atime, mtime),
  ]);
}

function makeHardLink(
  { path, location }: NamedWork,
  { place, damaged }: LinkedFile,
  overwrite: boolean,
  problems: RestoreProblems,
): boolean {
  if (place === null) {
    problems.add(path, "unwritable", "the file that it is another name of could not be written");
    return false;
  }
  const own = damaged ? damagedPath(location) : location;
  makeLink(own, overwrite, () => linkSync(place, own));
  if (damaged) problems.add(path, "damaged", `parts of its content are lost; what is left is in ${Buffer.from(own as string).toString()}`);
  return true;
}
