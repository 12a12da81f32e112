import { sha256Text } from "../agent-api/tenant.ts";
import { lines } from "../discord/lines.ts";
import { COLOURS, message } from "../discord/message.ts";
import { code, safe, time } from "../discord/text.ts";
import type { CredentialRecord } from "../guild/repository-credentials.ts";
import { CREDENTIAL_DAYS_DEFAULT, CREDENTIAL_DAYS_MAX } from "../guild/repository-credentials.ts";
import { isRefusal } from "../refusals.ts";
import { credentialFor, resticUrl } from "../repositories/credentials.ts";
import { command } from "./command.ts";
import { completed, flag, integer, serverOption } from "./options.ts";

const NUMBER = /^[0-9]{1,9}$/;

/** `/backup credentials`: a credential with which the `restic` program reads a server's repository. */
export const backupCredentials = command({
  name: "backup credentials",
  description: "Use a server's repository with the restic program: get a credential",
  help: `It reads only, unless you say otherwise, and works for ${CREDENTIAL_DAYS_DEFAULT} days, or up to ${CREDENTIAL_DAYS_MAX}. With write it may add backups; nobody can change or remove any with it.`,
  tier: "owner",
  rate: "act",
  options: {
    server: serverOption(true),
    days: integer("For how many days it works", false, 1, CREDENTIAL_DAYS_MAX),
    write: flag("It may also add backups", false),
  },
  async run({ guild, guildId, ask, env, origin }, { server, days = CREDENTIAL_DAYS_DEFAULT, write = false }) {
    const credential = await credentialFor(env.TOKEN_SECRET, guildId, ask.key);
    const added = await guild.addCredential(ask, { hash: await sha256Text(credential.password), server, mayWrite: write, days });
    if (isRefusal(added)) return added;
    const repository = resticUrl(origin, credential, server);
    return {
      kind: "message",
      ephemeral: true,
      body: message({
        title: `The repository of ${safe(server, 40)}, for restic`,
        description: [
          "The whole line, as `restic -r` takes it:",
          `\`\`\`\n${repository}\n\`\`\``,
          "Or for a shell, so that it stands in no list of processes:",
          `\`\`\`sh\nexport RESTIC_REPOSITORY='${repository}'\nrestic snapshots\n\`\`\``,
          `It ${rightOf(added)} and runs out ${time(added.expiresAt)}. Its number is ${code(String(added.id))}: \`/backup credentials-revoke\` takes it back. Keep it to yourself.`,
          "restic also asks for the repository's own password: the one that it was made with. It is not known here.",
        ].join("\n"),
        color: added.mayWrite ? COLOURS.warning : COLOURS.info,
      }),
    };
  },
});

/** `/backup credentials-list`: those that work. */
export const backupCredentialsList = command({
  name: "backup credentials-list",
  description: "Show the credentials of the restic program that work",
  help: "With what each may do, who made it, and when and from where it was used last, to the day.",
  tier: "owner",
  rate: "query",
  options: {},
  async run({ guild, ask }) {
    const all = await guild.credentials(ask);
    if (isRefusal(all)) return all;
    const description = lines(all.length === 0 ? ["There are none. `/backup credentials` makes one."] : all.map(lineOf));
    return { kind: "message", ephemeral: true, body: message({ title: "Credentials of repositories", description, color: COLOURS.info }) };
  },
});

/** `/backup credentials-revoke`: the next request with it is refused. */
export const backupCredentialsRevoke = command({
  name: "backup credentials-revoke",
  description: "Take a credential of the restic program back",
  help: "It holds with the next request. What was backed up with it stays.",
  tier: "owner",
  rate: "act",
  options: {
    credential: completed("Which one; /backup credentials-list shows them", true, NUMBER, ({ guild, ask }, typed) =>
      guild.credentialChoices(ask, typed),
    ),
  },
  async run({ guild, ask }, { credential }) {
    const gone = await guild.revokeCredential(ask, Number(credential));
    if (isRefusal(gone)) return gone;
    return { kind: "message", ephemeral: true, body: message({ title: "Taken back", description: lineOf(gone), color: COLOURS.success }) };
  },
});

function rightOf({ mayWrite }: CredentialRecord): string {
  return mayWrite ? "reads and adds backups" : "only reads";
}

function lineOf(record: CredentialRecord): string {
  const { id, server, createdBy, expiresAt, usedAt, usedFrom } = record;
  const used = usedAt === null ? "not used yet" : `used ${time(usedAt)}${usedFrom === null ? "" : ` from ${code(usedFrom, 45)}`}`;
  return `\`${id}\` **${safe(server, 40)}**: ${rightOf(record)}, by <@${createdBy}>, runs out ${time(expiresAt)}, ${used}`;
}
