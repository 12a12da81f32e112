import type { Context } from "hono";
import type { JobId } from "../../schemas/index.ts";
import { jobId, progressRequest, report, resultRequest } from "../../schemas/index.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { AgentEnv } from "./access.ts";
import { readBody, readParam, refused, traceOf } from "./access.ts";

type C = Context<AgentEnv>;

/** `POST /v1/jobs/:id/progress` */
export async function progress(c: C): Promise<Response> {
  const job = jobOf(c);
  const body = await readBody(c, progressRequest);
  if (isRefusal(body)) return refused(c, body);
  if (job === null) return refused(c, refuse("job-unknown"));
  const answer = await c.get("guild").progress(c.get("caller"), job, body.data.lease, body.data.progress);
  return isRefusal(answer) ? refused(c, answer) : c.json(answer);
}

/** `POST /v1/jobs/:id/result`: taken once; the same result again is answered the same. */
export async function result(c: C): Promise<Response> {
  const job = jobOf(c);
  const body = await readBody(c, resultRequest);
  if (isRefusal(body)) return refused(c, body);
  if (job === null) return refused(c, refuse("job-unknown"));
  const answer = await c.get("guild").result(c.get("caller"), job, body.data.lease, body.data.outcome);
  const outcome = isRefusal(answer) ? answer.refused : body.data.outcome.state;
  console.log({ message: "a job's result came", trace: traceOf(c), job, host: c.get("caller").host, outcome });
  return isRefusal(answer) ? refused(c, answer) : c.json(answer);
}

/** `POST /v1/reports`: work that no job asked for. */
export async function reports(c: C): Promise<Response> {
  const body = await readBody(c, report);
  if (isRefusal(body)) return refused(c, body);
  const answer = await c.get("guild").report(c.get("caller"), body.data);
  return isRefusal(answer) ? refused(c, answer) : c.json(answer);
}

function jobOf(c: C): JobId | null {
  return readParam(c, "id", jobId);
}
