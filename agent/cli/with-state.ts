import { systemClock } from "../clock.ts";
import { stateError } from "../state/sqlite.ts";
import { type AgentState, openState } from "../state/state.ts";

/** Opens the state for the time of `work`. What goes wrong with the database itself is told in words. */
export async function withState<T>(file: string, work: (state: AgentState) => Promise<T>): Promise<T> {
  const state = openState(file, systemClock);
  try {
    return await work(state);
  } catch (error) {
    throw stateError(error, file);
  } finally {
    state.close();
  }
}
