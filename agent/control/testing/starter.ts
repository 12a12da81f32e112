/** An agent that starts a server and says so, to be killed at any moment: `node starter.ts CONTROL_AS_JSON`. */
import { systemClock } from "../../clock.ts";
import type { ProcessControl } from "../../config/host-config.ts";
import { processControl } from "../process.ts";

const control = JSON.parse(process.argv[2] ?? "") as ProcessControl;
const { env, platform } = process;
process.stdout.write("begins\n");
await systemClock.sleep(10);
await processControl(control, { clock: systemClock, env, platform }).start(new AbortController().signal);
process.stdout.write("started\n");
