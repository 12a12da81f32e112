import { EXIT } from "../errors.ts";

/**
 * After these the agent is not started again: a person has to do something first. `refused` and `badConfig` are how the poll loop's final
 * codes end (revoked, not enrolled, too old).
 */
export const NEEDS_A_PERSON: readonly number[] = [EXIT.usage, EXIT.badData, EXIT.refused, EXIT.badConfig];

/** Pause before the agent is started again after a failure, in seconds. */
export const RESTART_S = 10;
