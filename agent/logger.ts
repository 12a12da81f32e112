import type pino from "pino";

/** What the rooms of the agent log with; `agent/main.ts` makes the root. */
export type Logger = pino.Logger;
