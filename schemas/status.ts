import * as z from "zod/mini";
import { instant, serverId } from "./ids.ts";

const bytes = z.int().check(z.nonnegative());
const text = (max: number) => z.string().check(z.maxLength(max));

export const disk = z.object({ freeBytes: bytes, totalBytes: bytes });

/** What the agent saw of one server. A part that was not looked at, or could not be, is left out or "unknown". */
export const serverStatus = z.object({
  server: serverId,
  at: instant,
  process: z.object({
    state: z.enum(["running", "stopped", "unknown"]),
    pid: z.optional(z.int()),
    /** Of one core: 100 is one core busy. */
    cpuPercent: z.optional(z.number()),
    memoryBytes: z.optional(bytes),
    uptimeSeconds: z.optional(z.number()),
  }),
  port: z.object({
    state: z.enum(["open", "closed", "unknown"]),
    number: z.optional(z.int()),
    protocol: z.optional(z.enum(["tcp", "udp"])),
  }),
  query: z.optional(
    z.object({
      state: z.enum(["answered", "silent"]),
      pingMs: z.optional(z.number()),
      name: z.optional(text(100)),
      map: z.optional(text(100)),
      players: z.optional(z.object({ online: z.int(), max: z.optional(z.int()), names: z.array(text(64)).check(z.maxLength(10)) })),
    }),
  ),
  worldDisk: z.optional(disk),
  backupDisk: z.optional(disk),
  /** What the agent could not find out, and why, in words. */
  problems: z.array(text(200)).check(z.maxLength(5)),
});
export type ServerStatus = z.infer<typeof serverStatus>;

export const hostLoad = z.object({
  /** Of the whole machine: 100 is all cores busy. */
  cpuPercent: z.number(),
  memoryUsedBytes: bytes,
  memoryTotalBytes: bytes,
});
export type HostLoad = z.infer<typeof hostLoad>;
