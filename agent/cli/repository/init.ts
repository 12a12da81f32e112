import { Repository } from "../../backup/repository/repository.ts";
import { whoIsHere } from "../../backup/repository/who-is-here.ts";
import { systemClock } from "../../clock.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { withStore } from "./open.ts";
import type { RepositoryOptions } from "./options.ts";

/** `reconsync repository init`: refuses a place that holds one already. */
export function initCommand(options: RepositoryOptions, io: Io): Promise<void> {
  return withStore(options, io, async ({ store, password }) => {
    const { config } = await Repository.init(store, password, { ...whoIsHere(), now: systemClock.now() });
    if (options.json === true) printJson(io.out, { repository: config.id, version: config.version, place: store.place });
    else {
      printLine(io.out, `made repository ${config.id.slice(0, 10)} at ${store.place}`);
      printLine(io.out, "Keep the password safe and apart from it: without the password nobody can read what it holds, nor can you.");
    }
  });
}
