import type { APIApplicationCommand } from "discord-api-types/v10";
import { ApplicationCommandType } from "discord-api-types/v10";
import { isRecord } from "../check/form.ts";
import type { Snowflakes } from "../snowflake.ts";
import type { Events } from "./events.ts";

/** Scope of commands: a guild's id, or null for all guilds. */
export type CommandScope = string | null;

export interface KeptCommands {
  scope: CommandScope;
  commands: APIApplicationCommand[];
}

/** Registered commands. A `PUT` replaces a scope whole; a command keeps its id as long as its name stays. */
export class Commands {
  readonly #scopes = new Map<CommandScope, APIApplicationCommand[]>();
  readonly #applicationId: string;
  readonly #ids: Snowflakes;
  readonly #events: Events;

  constructor(parts: { applicationId: string; ids: Snowflakes; events: Events }) {
    this.#applicationId = parts.applicationId;
    this.#ids = parts.ids;
    this.#events = parts.events;
  }

  list(scope: CommandScope): APIApplicationCommand[] {
    return structuredClone(this.#scopes.get(scope) ?? []);
  }

  /** Takes a list that has passed the checks. */
  replace(scope: CommandScope, bodies: readonly unknown[]): APIApplicationCommand[] {
    const before = this.list(scope);
    this.#scopes.set(
      scope,
      bodies.filter(isRecord).map((body) => this.#complete(scope, body, before)),
    );
    this.#events.emit("commands_update", { guild: scope });
    return this.list(scope);
  }

  /** What members of a guild see; of two commands with one name the guild's own wins. */
  merged(guildId: string): APIApplicationCommand[] {
    const own = this.list(guildId);
    const global = this.list(null).filter((command) => !own.some((other) => other.name === command.name && other.type === command.type));
    return [...global, ...own];
  }

  kept(): KeptCommands[] {
    return [...this.#scopes].map(([scope, commands]) => ({ scope, commands }));
  }

  restore(kept: readonly KeptCommands[]): void {
    for (const { scope, commands } of kept) this.#scopes.set(scope, commands);
  }

  #complete(scope: CommandScope, body: Record<string, unknown>, before: readonly APIApplicationCommand[]): APIApplicationCommand {
    const type = body.type ?? ApplicationCommandType.ChatInput;
    const known = before.find((command) => command.name === body.name && command.type === type);
    const permissions = body.default_member_permissions;
    const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined));
    return {
      dm_permission: true,
      nsfw: false,
      integration_types: [0],
      contexts: null,
      description: "",
      ...given,
      id: known?.id ?? this.#ids.next(),
      application_id: this.#applicationId,
      version: this.#ids.next(),
      type,
      default_member_permissions: permissions === null || permissions === undefined ? null : String(permissions),
      ...(scope === null ? {} : { guild_id: scope }),
    } as APIApplicationCommand;
  }
}
