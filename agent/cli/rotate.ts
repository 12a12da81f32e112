import { systemClock } from "../clock.ts";
import { rotate } from "../control-plane/rotate.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { type CommonOptions, readConfigIfAny, stateFileOf } from "./settings.ts";
import { withState } from "./with-state.ts";

/** `reconsync rotate`: works beside a running agent, which goes on with the new key. */
export async function rotateCommand(options: CommonOptions & { json?: boolean }, io: Io): Promise<void> {
  const config = options.state === undefined || options.config !== undefined ? await readConfigIfAny(options, io) : undefined;
  await withState(stateFileOf(config, options, io), async (state) => {
    const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
    const { host, name, origin } = await rotate({ table: state.identity, plane, clock: systemClock });
    if (options.json === true) printJson(io.out, { host, name, origin, rotated: true });
    else printLine(io.out, `${name} (${host}) has a new key at ${origin}. The old one opens nothing any more.`);
  });
}
