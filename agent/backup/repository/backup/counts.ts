/** What a run has counted so far. */
export interface Counts {
  files: {
    /** Not in the backup before. */
    new: number;
    changed: number;
    unchanged: number;
    /** Unchanged ones that were read again, to see that they are. */
    reread: number;
  };
  directories: number;
  /** Bytes of all files. */
  bytes: number;
}

export function noCounts(): Counts {
  return { files: { new: 0, changed: 0, unchanged: 0, reread: 0 }, directories: 0, bytes: 0 };
}
