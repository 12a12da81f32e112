/** Discord's reference, "Permissions", bitwise flags. */
export const PERMISSIONS = {
  "View Channels": 1n << 10n,
  "Send Messages": 1n << 11n,
  "Embed Links": 1n << 14n,
  "Attach Files": 1n << 15n,
  "Read Message History": 1n << 16n,
} as const;

/** What the bot needs to go on with a message of its own when a reply token has run out, and no more. */
export const INVITE_PERMISSIONS = Object.values(PERMISSIONS).reduce((all, one) => all | one, 0n);

/** The address at which an admin of a Discord server adds the bot and its commands. */
export function inviteLink(applicationId: string): string {
  const query = new URLSearchParams({
    client_id: applicationId,
    scope: "bot applications.commands",
    permissions: String(INVITE_PERMISSIONS),
  });
  return `https://discord.com/oauth2/authorize?${query}`;
}
