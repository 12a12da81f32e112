import { whileLocked } from "./backup.ts";
import { jobKind } from "./job-kind.ts";

/** Works out which files of a server's repository nobody needs any more, while no backup of it runs. */
export const pruneJob = jobKind(
  "prune",
  (wanted, context) => {
    const { host, report, signal, clock, log } = context;
    return whileLocked(wanted.server, context, (server) => host.prune({ server, wanted, report, signal, clock, log }));
  },
  { atOnce: 1 },
);
