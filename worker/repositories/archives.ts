/** Where archives lie in R2. A guild's objects share a prefix that no other guild can name. */

/** `guild` is a snowflake, `server` and `name` have passed their schemas, so that none of them can hold a `/`. */
export function archiveKey(guild: string, server: string, name: string): string {
  return `guilds/${guild}/archives/${server}/${name}`;
}

/** The manifest lies beside its archive. */
export function manifestKey(archive: string): string {
  return `${archive}.manifest.jsonl.gz`;
}
