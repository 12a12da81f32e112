import { onTestFinished } from "vitest";
import { openStore } from "../../agent/backup/repository/stores/open.ts";
import type { RepositoryStore } from "../../agent/backup/repository/stores/store.ts";
import { systemClock } from "../../agent/clock.ts";
import { WorkerClient } from "../../agent/control-plane/worker-client.ts";
import { openState } from "../../agent/state/state.ts";
import type { AgentProcess } from "../../scripts/embedded/agent-process.ts";
import { placeIn } from "../../scripts/embedded/stack.ts";
import type { Scene } from "./scene.ts";

export interface CredentialOptions {
  server?: string;
  write?: boolean;
  days?: number;
}

/** `rest:…` out of the answer of `/backup credentials`. */
export async function credential(scene: Scene, options: CredentialOptions): Promise<{ repository: string; number: string }> {
  const input = { ...placeIn(scene.guild(), "owner"), command: "backup credentials", options: { server: "island", ...options } };
  const { message, failure } = await scene.sandbox.command(input);
  const text = message?.embeds[0]?.description ?? failure?.reason ?? "";
  const repository = /export RESTIC_REPOSITORY='([^']+)'/.exec(text)?.[1];
  const number = /Its number is `(\d+)`/.exec(text)?.[1];
  if (repository === undefined || number === undefined) throw new Error(`no credential: ${text}`);
  return { repository, number };
}

/** Opens servers' repositories in the Worker as their agent does, with its own identity and tokens. The agent is enrolled, and does not run. */
export function asAgent(agent: AgentProcess): (server: string) => Promise<RepositoryStore> {
  const state = openState(agent.stateFile, systemClock);
  onTestFinished(() => state.close());
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  return (server) =>
    openStore(`rest:${plane.origin}/v1/repositories/${server}/`, { env: {}, authorization: (again) => plane.authorization(again) });
}
