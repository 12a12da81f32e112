import type { BackupRef, BackupResult } from "../../schemas/index.ts";

/** How a backup that was just made is found again. */
export function backupRefOf(backup: BackupResult): BackupRef {
  if (backup.format === "repository") return { format: "repository", snapshot: backup.snapshot };
  const { archive, store, upload } = backup;
  return { format: "zip", archive, store, ...(upload !== undefined && { upload }) };
}
