import { join } from "node:path";
import type { RestorePayload } from "../../schemas/index.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Wanted } from "../restore/server-restores.ts";
import { whileLocked } from "./backup.ts";
import { serverOf } from "./host.ts";
import { jobKind } from "./job-kind.ts";

/** Says what a restore would do. Changes nothing. */
export const restorePlanJob = jobKind("restore-plan", (payload, { host, report, signal }) => {
  const server = serverOf(host, payload.server);
  return host.restoresOf(server).plan(wantedOf(payload, server), { report, signal });
});

/** Restores a backup of a server, in place or to a folder of its own. One that broke off is answered with what became of it, or begins anew. */
export const restoreJob = jobKind(
  "restore",
  (payload, context) =>
    whileLocked(payload.server, context, async (server) => {
      const { host, report, signal, job } = context;
      const restores = host.restoresOf(server);
      const wanted = wantedOf(payload, server);
      const { target } = wanted;
      if (target !== undefined) return restores.toFolder({ ...wanted, target }, { report, signal });
      return restores.inPlace(wanted, { report, signal, job: job.id, note: payload.note });
    }),
  { atOnce: 1 },
);

/** @throws AgentError `restore-not-allowed`, `restore-folder-missing`: the host decides what Discord may restore, and where to */
function wantedOf({ backup, paths, player, to }: Omit<RestorePayload, "note">, server: ServerConfig): Wanted {
  const { inPlace = true, folder } = server.restore ?? {};
  const what = { backup, ...(paths !== undefined && { paths }), ...(player !== undefined && { player }) };
  if (to === undefined) {
    if (inPlace) return what;
    const text = `This host's config does not let Discord restore ${server.id} in place (restore.in_place). Use "reconsync restore ${server.id}" on the host.`;
    throw new AgentError("restore-not-allowed", text, { exitCode: EXIT.refused });
  }
  if (folder !== undefined) return { ...what, target: join(folder, to) };
  const text = `This host's config names no folder for restores of ${server.id}. Add restore.folder to it in config.yaml, then try again.`;
  throw new AgentError("restore-folder-missing", text, { exitCode: EXIT.refused });
}
