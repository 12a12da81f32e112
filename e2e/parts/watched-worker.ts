import { app } from "../../worker/app.ts";
import type { Env } from "../../worker/env.ts";
import { guildOf } from "../../worker/env.ts";
import { Guild as RealGuild } from "../../worker/guild/guild.ts";

/** The real Worker, with two more doors for end-to-end tests: to read a guild's tables, and to throw its object away. Never deployed. */

export class Guild extends RealGuild {
  /** All rows of a table. */
  async rows(table: string): Promise<Record<string, unknown>[]> {
    if (!/^[a-z_]+$/.test(table)) throw new Error(`no table ${table}`);
    return this.ctx.storage.sql.exec(`SELECT * FROM ${table}`).toArray();
  }

  /** Ends the object at once, as an eviction does that comes at the worst time: what was in memory is gone, calls under way fail. */
  async throwAway(): Promise<void> {
    this.ctx.abort("thrown away by a test");
  }
}

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/__test/")) return app.fetch(request, env, context);
    const guild = guildOf(env, searchParams.get("guild") ?? "") as unknown as DurableObjectStub<Guild>;
    if (pathname === "/__test/rows") return Response.json(await guild.rows(searchParams.get("table") ?? ""));
    try {
      await guild.throwAway();
    } catch (error) {
      // It cannot answer: that is what was asked for.
      console.log({ message: "the object is gone", error: String(error) });
    }
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
