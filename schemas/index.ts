/** Everything that the agent and the Worker say to each other. Config, profile and manifest have their own files. */
export * from "./archives.ts";
export * from "./audit.ts";
export * from "./ids.ts";
export * from "./jobs.ts";
export * from "./poll.ts";
export * from "./problem.ts";
export * from "./prune.ts";
export * from "./repositories.ts";
export * from "./restore.ts";
export * from "./retention-orders.ts";
export * from "./retention-policy.ts";
export * from "./schedules.ts";
export * from "./status.ts";
export * from "./trace.ts";
export * from "./verification.ts";
