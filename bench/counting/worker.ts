import { app } from "../../worker/app.ts";
import type { Env } from "../../worker/env.ts";
import { Guild as RealGuild } from "../../worker/guild/guild.ts";
import { Meter } from "./meter.ts";
import { tapR2, tapStorage } from "./taps.ts";

/**
 * The real Worker with counters around it, for bench/free-plan.ts. It is never deployed. Worker and object share one isolate in workerd,
 * so one meter sees both, and it outlives the eviction of the object.
 */

const meter = new Meter();

export class Guild extends RealGuild {
  constructor(state: DurableObjectState, env: Env) {
    meter.born();
    tapStorage(state.storage, meter);
    tapR2(env.BACKUPS, meter);
    super(state, env);
  }
}

type Method = (this: object, ...parameters: unknown[]) => Promise<unknown>;

// Whatever comes into the object comes through a method of its class: they are wrapped where calls from outside find them.
for (const name of Object.getOwnPropertyNames(RealGuild.prototype)) {
  const method: unknown = Reflect.get(RealGuild.prototype, name);
  if (name === "constructor" || typeof method !== "function") continue;
  const counted: Method = async function (...parameters) {
    const leave = meter.enter(this, name);
    try {
      return await (method as Method).apply(this, parameters);
    } finally {
      leave();
    }
  };
  Object.defineProperty(Guild.prototype, name, { value: counted, configurable: true, writable: true });
}

export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/__counts") return Response.json(meter.snapshot());
    tapR2(env.BACKUPS, meter);
    meter.request(request.method, pathname);
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;
