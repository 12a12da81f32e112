import { countDifference, type Difference, diff, noDifferences } from "../../backup/repository/list/diff.ts";
import { formatBytes } from "../../config/check-text.ts";
import { type Io, printLine } from "../io.ts";
import { printable } from "./ls.ts";
import { withRepository } from "./open.ts";
import type { RepositoryOptions } from "./options.ts";

export interface DiffOptions extends RepositoryOptions {
  /** Also what differs in mode, owner or time only. */
  metadata?: boolean;
}

const MARKS: Record<Difference["kind"], string> = { added: "+", removed: "-", changed: "M", metadata: "U" };

/** `reconsync repository diff A B`; with `--json` one object a line, the totals last. */
export function diffCommand(first: string, second: string, options: DiffOptions, io: Io): Promise<void> {
  return withRepository(options, io, async (repository, { signal }) => {
    const before = await repository.findSnapshot(first, {}, signal);
    const after = await repository.findSnapshot(second, {}, signal);
    await repository.loadIndex(signal);
    const totals = noDifferences();
    for await (const difference of diff(repository, before, after, signal)) {
      countDifference(totals, difference);
      if (difference.kind === "metadata" && options.metadata !== true) continue;
      const { kind, path } = difference;
      printLine(io.out, options.json === true ? JSON.stringify({ kind, path }) : `${MARKS[kind]} ${printable(path)}`);
    }
    if (options.json === true) printLine(io.out, JSON.stringify({ totals }));
    else {
      const { added, changed, removed, bytesAdded, bytesRemoved } = totals;
      printLine(
        io.out,
        `${added} added, ${changed} changed, ${removed} removed; +${formatBytes(bytesAdded)} -${formatBytes(bytesRemoved)}`,
      );
    }
  });
}
