import { Hono } from "hono";
import { repositories } from "../repositories/routes.ts";
import type { AgentEnv } from "./access.ts";
import { enrolledOnly } from "./access.ts";
import * as archives from "./archives.ts";
import { enroll, token } from "./enrolment.ts";
import { progress, reports, result } from "./jobs.ts";
import { poll } from "./poll.ts";
import { rotate } from "./rotate.ts";

/** What agents call, under `/v1`. Shapes are in `schemas/`, the words in docs/dev/protocol.md. */
export const agentApi = new Hono<AgentEnv>()
  .post("/enroll", enroll)
  .post("/token", token)
  // Before the rest: the `restic` program comes here too, with credentials of its own.
  .route("/repositories", repositories)
  .use("/*", enrolledOnly)
  .post("/rotate", rotate)
  .post("/poll", poll)
  .post("/jobs/:id/progress", progress)
  .post("/jobs/:id/result", result)
  .post("/reports", reports)
  .post("/archives", archives.begin)
  .put("/archives/:upload/parts/:number", archives.putPart)
  .put("/archives/:upload/manifest", archives.putManifest)
  .post("/archives/:upload/complete", archives.complete)
  .delete("/archives/:upload", archives.abort)
  .get("/archives", archives.list)
  .get("/archives/:upload", archives.read("archive"))
  .get("/archives/:upload/manifest", archives.read("manifest"));
