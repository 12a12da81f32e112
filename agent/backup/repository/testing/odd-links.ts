import { isUtf8 } from "node:buffer";
import { lstatSync, readdirSync, readlinkSync, rmSync } from "node:fs";

/** Of links with targets that are not UTF-8, restic 0.14 loses the target. We write it as later ones do, so they go where both are compared. */
export function removeOddLinks(folder: string | Buffer): void {
  for (const name of readdirSync(folder, { encoding: "buffer" })) {
    const path = Buffer.concat([Buffer.from(folder), Buffer.from("/"), name]);
    const stats = lstatSync(path);
    if (stats.isDirectory()) removeOddLinks(path);
    else if (stats.isSymbolicLink() && !isUtf8(readlinkSync(path, { encoding: "buffer" }))) rmSync(path);
  }
}
