/**
 * Which guilds have an object of their own, without asking it: asking a made-up one would create it. An empty object in R2 stands for
 * each, written when a host was enrolled.
 */

function keyOf(guild: string): string {
  return `known-guilds/${guild}`;
}

export async function markKnown(bucket: R2Bucket, guild: string): Promise<void> {
  await bucket.put(keyOf(guild), "", { onlyIf: { etagDoesNotMatch: "*" } });
}

export async function isKnown(bucket: R2Bucket, guild: string): Promise<boolean> {
  return (await bucket.head(keyOf(guild))) !== null;
}
