import { parentPort } from "node:worker_threads";
import { gameCheckTasks } from "../../verification/checks/tasks.ts";
import { backupTasks } from "../repository/backup/thread-tasks.ts";
import { restoreTasks } from "../repository/restore/tasks.ts";
import { verifyTasks } from "../repository/verify/pack-tasks.ts";
import { zipTasks } from "../zip/tasks.ts";
import { sendable } from "./errors.ts";
import type { TaskCall, TaskReply, TaskTable } from "./tasks.ts";

/** Every task that a worker thread knows. Each room adds its own table here. */
const TASKS: TaskTable = { ...backupTasks, ...restoreTasks, ...verifyTasks, ...zipTasks, ...gameCheckTasks };

const port = parentPort;
if (port === null) throw new Error("This script runs in a worker thread of ReconSync only.");

port.on("message", async (call: TaskCall) => {
  try {
    const task = TASKS[call.name];
    if (task === undefined) throw new Error(`No task is called ${call.name}`);
    const { value, transfer } = await task(call.input);
    port.postMessage({ id: call.id, value } satisfies TaskReply, transfer ?? []);
  } catch (error) {
    port.postMessage({ id: call.id, error: sendable(error) } satisfies TaskReply);
  }
});
