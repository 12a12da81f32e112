import { SandboxError } from "./errors.ts";
import type { World } from "./state/world.ts";
import type { SandboxMessage } from "./types.ts";

/** How many messages an error shows when none fits. */
const SHOWN_MAX = 3;

/** Waiting for a message, with an end for those who still wait when the sandbox closes. */
export function messageWaiter(world: World) {
  const waiting = new Set<(error: SandboxError) => void>();

  async function waitForMessage(predicate: (message: SandboxMessage) => boolean, timeoutMs: number): Promise<SandboxMessage> {
    const found = world.messages.all().find(predicate);
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const check = ({ message }: { message: SandboxMessage }) => {
        try {
          if (predicate(message)) end(() => resolve(message));
        } catch (error) {
          end(() => reject(error));
        }
      };
      const stops = [world.events.on("message_create", check), world.events.on("message_update", check)];
      const fail = (error: SandboxError) => end(() => reject(error));
      const timer = setTimeout(() => fail(timedOut(world, timeoutMs)), timeoutMs);
      function end(then: () => void): void {
        for (const stop of stops) stop();
        clearTimeout(timer);
        waiting.delete(fail);
        then();
      }
      waiting.add(fail);
    });
  }

  function stopWaiting(): void {
    for (const fail of [...waiting]) fail(new SandboxError("closed", "The sandbox was closed."));
  }

  return { waitForMessage, stopWaiting };
}

function timedOut(world: World, timeoutMs: number): SandboxError {
  const last = world.messages.all().slice(-SHOWN_MAX);
  const shown = last.map(({ content, embeds, thinking, failed }) => JSON.stringify({ content, embeds, thinking, failed })).join("\n");
  return new SandboxError("wait_timeout", `No message fitted within ${timeoutMs} ms. The last ones:\n${shown || "none"}`);
}
