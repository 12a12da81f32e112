import { parseDuration } from "../../../schemas/calendar.ts";
import type { KeepRules } from "../../../schemas/keep-rules.ts";
import type { Snapshot } from "../../backup/repository/format/snapshot.ts";
import { forget } from "../../backup/repository/prune/forget.ts";
import { applyKeepRules, groupSnapshots } from "../../backup/repository/prune/keep-rules.ts";
import type { Repository } from "../../backup/repository/repository.ts";
import { systemClock } from "../../clock.ts";
import { AgentError, EXIT } from "../../errors.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { countText } from "../text.ts";
import { withRepository } from "./open.ts";
import { type RepositoryContext, type RepositoryOptions, SHORT_ID } from "./options.ts";
import { pruneShown, tellPruned } from "./prune.ts";
import { type FilterOptions, filterOf, snapshotsOf } from "./snapshots.ts";

export interface ForgetCommandOptions extends RepositoryOptions, FilterOptions {
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepWithin?: string;
  keepTag?: string[];
  allowEmpty?: boolean;
  dryRun?: boolean;
  prune?: boolean;
}

interface Decision {
  keep: { snapshot: Snapshot; reasons: string[] }[];
  remove: Snapshot[];
}

/** `reconsync repository forget [SNAPSHOT…]`: those that are named, or those that no rule keeps. */
export function forgetCommand(names: string[], options: ForgetCommandOptions, { io }: RepositoryContext): Promise<void> {
  const rules = rulesOf(options);
  if (names.length > 0 === hasRules(rules)) {
    throw new AgentError("forget-what", "name the snapshots to remove, or say with --keep-… what stays; one of the two", {
      exitCode: EXIT.usage,
    });
  }
  const work = async (repository: Repository, { signal }: { signal: AbortSignal }) => {
    const decision = names.length > 0 ? await named(repository, names, signal) : await decided(repository, options, rules, signal);
    const dryRun = options.dryRun === true;
    if (!dryRun) {
      const ids = decision.remove.map(({ id }) => id);
      await forget(repository, ids, { clock: systemClock, allowNone: options.allowEmpty === true, signal });
    }
    // What is not forgotten yet is in use still: a plan for pruning would not be true.
    const pruned = options.prune === true && !dryRun ? await pruneShown(repository, {}, io, signal) : undefined;
    if (options.json === true) printJson(io.out, { dryRun, ...decision, ...(pruned === undefined ? {} : { prune: pruned }) });
    else {
      tell(decision, dryRun, io);
      if (pruned !== undefined) tellPruned(pruned, io);
    }
  };
  return withRepository(options, io, work, { strict: true });
}

async function named(repository: Repository, names: readonly string[], signal: AbortSignal): Promise<Decision> {
  const remove = new Map<string, Snapshot>();
  for (const name of names) {
    const snapshot = await repository.findSnapshot(name, {}, signal);
    remove.set(snapshot.id, snapshot);
  }
  return { keep: [], remove: [...remove.values()] };
}

async function decided(repository: Repository, options: FilterOptions, rules: KeepRules, signal: AbortSignal): Promise<Decision> {
  const context = { timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone, now: systemClock.now() };
  const groups = groupSnapshots(await snapshotsOf(repository, filterOf(options), signal));
  const decisions = groups.map((group) => applyKeepRules(group, rules, context));
  return { keep: decisions.flatMap(({ keep }) => keep), remove: decisions.flatMap(({ remove }) => remove) };
}

function rulesOf(options: ForgetCommandOptions): KeepRules {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithin, keepTag } = options;
  const within = keepWithin === undefined ? undefined : parseDuration(keepWithin);
  if (within === null) {
    throw new AgentError("keep-within", `"${keepWithin}" is no duration: write numbers with units, such as 30d, 1y6m or 12h`, {
      exitCode: EXIT.usage,
    });
  }
  return {
    last: keepLast,
    hourly: keepHourly,
    daily: keepDaily,
    weekly: keepWeekly,
    monthly: keepMonthly,
    yearly: keepYearly,
    within,
    tags: keepTag?.map((tag) => tag.split(",")),
  };
}

function hasRules(rules: KeepRules): boolean {
  return Object.values(rules).some((rule) => rule !== undefined);
}

function tell({ keep, remove }: Decision, dryRun: boolean, io: Io): void {
  for (const { snapshot, reasons } of keep) printLine(io.out, `keep    ${lineOf(snapshot)}  (${reasons.join(", ")})`);
  for (const snapshot of remove) printLine(io.out, `remove  ${lineOf(snapshot)}`);
  const count = countText(remove.length, "snapshot");
  printLine(io.out, dryRun ? `${count} would be removed` : `${count} removed; their data goes with prune`);
}

function lineOf({ id, time, paths }: Snapshot): string {
  return `${id.slice(0, SHORT_ID)}  ${time.slice(0, 19).replace("T", " ")}  ${paths.join(", ")}`;
}
