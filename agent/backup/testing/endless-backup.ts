/**
 * A process that makes a backup and stops in the middle of it, to be killed: `node endless-backup.ts FOLDER STORE`. Prints a line when it
 * has got there.
 */
import { createZipEngine } from "../zip-engine.ts";
import { requestFor, serverAt } from "./request.ts";

const [folder = "", store = ""] = process.argv.slice(2);
const engine = createZipEngine({
  onRead: async (_location, bytes) => {
    if (bytes < 4_000_000) return;
    console.log("in the middle");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
});
await engine.backup(requestFor(serverAt(folder, store)));
