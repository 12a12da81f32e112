import { renderUnicodeCompact } from "uqr";
import { importKey, keyFileOf, markSaved, type RecoveryKey, readKey, recoveryKey } from "../recovery/key-file.ts";
import { noRecoveryKey } from "../recovery/no-key.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { readPassword } from "./repository/password.ts";
import { type CommonOptions, readConfigIfAny, stateFileOf } from "./settings.ts";

export interface RecoveryKeyOptions extends CommonOptions {
  json?: boolean;
  saved?: boolean;
  /** A file that holds the key of another host. */
  import?: string;
}

/** `reconsync recovery-key`: shows the key that opens this host's repositories, or takes that of another host. */
export async function recoveryKeyCommand(options: RecoveryKeyOptions, io: Io): Promise<void> {
  const config = options.state === undefined || options.config !== undefined ? await readConfigIfAny(options, io) : undefined;
  const stateFile = stateFileOf(config, options, io);
  if (options.import !== undefined) {
    const { warning } = importKey(stateFile, (await readPassword({ passwordFile: options.import }, io)).toString("utf8"));
    if (warning !== undefined) printLine(io.err, `warning: ${warning}`);
    if (options.json === true) printJson(io.out, { imported: true, file: keyFileOf(stateFile) });
    else printLine(io.out, `This host has the key now, in ${keyFileOf(stateFile)}. Its backups go on in the repositories that it opens.`);
    return;
  }
  if (readKey(stateFile) === null) throw noRecoveryKey(stateFile);
  if (options.saved === true) markSaved(stateFile);
  const key = recoveryKey(stateFile);
  if (options.json === true) printJson(io.out, { key: key.key, saved: key.saved, file: keyFileOf(stateFile) });
  else show(key, io);
}

function show({ key, saved }: RecoveryKey, io: Io): void {
  printLine(io.out, "This key opens every backup of this host. ReconSync has no copy of it: whoever loses it loses the backups.\n");
  printLine(io.out, `    ${key}\n`);
  printLine(io.out, renderUnicodeCompact(key));
  printLine(io.out, "\nIt is the password of the repositories, as `reconsync repository` and restic ask for it.");
  if (saved) return;
  printLine(io.err, "\nwarning: nobody has said yet that a copy of it is put away.");
  printLine(io.err, "Write it down or put it into a password manager, not on this host. Then run: reconsync recovery-key --saved");
}
