import { serverOf } from "./host.ts";
import { jobKind } from "./job-kind.ts";

/** Looks at some servers, or at all when none is named. One that left the config meanwhile is left out, unless nothing else was asked for. */
export const statusJob = jobKind("status", async ({ servers: ids }, { host }) => {
  const known = ids.length === 0 ? host.servers : host.servers.filter((server) => ids.includes(server.id));
  const [first] = ids;
  if (known.length === 0 && first !== undefined) serverOf(host, first);
  const [servers, load] = await Promise.all([Promise.all(known.map((server) => host.observe(server))), host.load()]);
  return { servers, load };
});
