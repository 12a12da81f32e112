import { Hono } from "hono";
import { refused, traceOf } from "./agent-api/access.ts";
import { agentApi } from "./agent-api/routes.ts";
import type { Env } from "./env.ts";
import { interactions } from "./interactions/endpoint.ts";
import { mayFail, tooMany } from "./limits.ts";
import { refuse } from "./refusals.ts";

/** All routes of the Worker. */
export const app = new Hono<{ Bindings: Env }>();

app.get("/healthz", (c) => c.json({ status: "ok" }));
app.post("/interactions", interactions);
app.route("/v1", agentApi);
app.notFound(async (c) => ((await mayFail(c, "route")) ? refused(c, refuse("not-found")) : tooMany(c)));
app.onError((error, c) => {
  console.error({
    message: "a request failed",
    trace: traceOf(c),
    method: c.req.method,
    path: c.req.path,
    error: error.stack ?? error.message,
  });
  return refused(c, refuse("internal"));
});
