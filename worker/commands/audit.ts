import { auditMessage } from "../discord/render-audit.ts";
import type { AuditFilter } from "../guild/audit.ts";
import { isRefusal } from "../refusals.ts";
import type { Component } from "./command.ts";
import { command } from "./command.ts";
import { serverOption, user } from "./options.ts";

/** `/audit`: who did what by which right, newest first. */
export const audit = command({
  name: "audit",
  description: "Show who did what",
  help: "Shows commands, refusals, jobs and changed settings, newest first. Export gives a file that `reconsync audit verify FILE` checks: nothing in it can be changed, left out or cut off unnoticed.",
  tier: "owner",
  rate: "query",
  options: { member: user("Only what this member did", false), server: serverOption(false) },
  async run({ guild, ask }, { member, server }) {
    const view = await guild.auditPage(ask, { member, server }, 0);
    return isRefusal(view) ? view : { kind: "message", ephemeral: true, body: auditMessage(view) };
  },
});

/** "Newer" and "Older" under the list. The argument is `page/member/server`, with empty parts for what is not filtered by. */
export const auditPage: Component = {
  prefix: "audit",
  tier: "owner",
  rate: "query",
  command: "audit",
  async run({ guild, ask }, argument) {
    const [page = "0", member = "", server = ""] = argument.split("/");
    const filter: AuditFilter = { ...(member === "" ? {} : { member }), ...(server === "" ? {} : { server }) };
    const view = await guild.auditPage(ask, filter, Number.parseInt(page, 10) || 0);
    return isRefusal(view) ? view : { kind: "update", body: auditMessage(view) };
  },
};

/** "Export" under the list. */
export const auditExport: Component = {
  prefix: "auditfile",
  tier: "owner",
  rate: "act",
  command: "audit",
  async run({ guild, guildId, ask }) {
    const file = await guild.auditFile(ask);
    if (isRefusal(file)) return file;
    const name = `reconsync-audit-${guildId}.jsonl`;
    return {
      kind: "message",
      ephemeral: true,
      body: { content: `Check it with \`reconsync audit verify ${name}\`.`, embeds: [], components: [], allowed_mentions: { parse: [] } },
      files: [{ name, type: "application/jsonl", content: file.content }],
    };
  },
};
