import { type EmbeddedSettings, startEmbeddedWorker } from "../../scripts/embedded/worker.ts";

/** The real Worker as a process of its own, which a test can kill. Its settings come as its one argument; it says over IPC when it answers. */
const worker = await startEmbeddedWorker(JSON.parse(process.argv[2] ?? "") as EmbeddedSettings);
// Whoever started it is gone: so is its reason to run.
process.once("disconnect", () => void worker.stop().finally(() => process.exit()));
process.send?.("ready");
