import { gameProfile } from "../../../schemas/profile.ts";
import type { ServerConfig } from "../../config/host-config.ts";

/** A server of a made-up game, for tests. */
export function testServer(changes: Partial<ServerConfig> & { protocol?: "tcp" | "udp"; generic?: string } = {}): ServerConfig {
  const { protocol = "tcp", generic, ...server } = changes;
  const process = {
    name: generic ?? "test-game-server",
    ...(generic !== undefined && { generic: true as const }),
    sources: ["own"],
  };
  return {
    id: "test",
    name: "Test",
    profile: gameProfile.parse({
      id: "test-game",
      name: "Test game",
      sources: [{ key: "own", text: "made up" }],
      folder: { hint: "Any folder.", sources: ["own"] },
      backup: { include: [{ globs: ["**"], sources: ["own"] }], exclude: [] },
      ports: { game: { port: 4000, protocol, sources: ["own"] } },
      process: { linux: process, windows: process },
    }),
    folder: "/nowhere/test",
    address: "127.0.0.1",
    ports: {},
    backup: {
      format: "zip",
      include: ["**"],
      exclude: [],
      store: { type: "r2" },
      bandwidth: {},
      lowPriority: false,
      retention: { keepLast: 10 },
      schedules: [],
      compression: 1,
    },
    verify: { daily: false, drill: "off" },
    ...server,
  };
}
