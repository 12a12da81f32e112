import * as z from "zod/mini";
import { hostId, instant, jobId, leaseId, serverId } from "./ids.ts";
import { job } from "./jobs.ts";
import { problem } from "./problem.ts";
import { retentionOrders } from "./retention-orders.ts";
import { announcedSchedule, SCHEDULES_PER_SERVER_MAX } from "./schedules.ts";
import { hostLoad, serverStatus } from "./status.ts";

/** Version of the messages below. New things are added beside old ones; unknown fields are ignored. */
export const PROTOCOL_VERSION = 1;

/** Longest time that a poll is held, in seconds: below the 100 s after which Cloudflare's edge gives up on a silent origin. */
export const POLL_WAIT_MAX_S = 50;

export const SERVERS_PER_HOST_MAX = 50;

const text = (max: number) => z.string().check(z.maxLength(max));

/** How many backups a store keeps: the newest `keepLast`, and any younger than `keepDays`. The last good one always stays. */
export const retention = z.object({ keepLast: z.int().check(z.positive()), keepDays: z.optional(z.number().check(z.positive())) });
export type Retention = z.infer<typeof retention>;

export const announcedServer = z.object({
  id: serverId,
  name: text(100),
  game: text(64),
  /** Name of the game for people. */
  gameName: text(100),
  store: z.enum(["local", "r2", "url"]),
  retention,
  /** What the host lets Discord do with its backups. Absent: an agent that restores nothing. */
  restore: z.optional(
    z.object({
      /** Into the server's own folder. */
      inPlace: z.boolean(),
      /** Into a new folder beside others, which the config names. */
      folder: z.boolean(),
      /** How the server is stopped and started, in words; absent when nobody may. */
      control: z.optional(text(200)),
    }),
  ),
  /** The agent can work out a prune of the server's repository in R2. */
  prunes: z.optional(z.boolean()),
  schedules: z.optional(z.array(announcedSchedule).check(z.maxLength(SCHEDULES_PER_SERVER_MAX))),
});
export type AnnouncedServer = z.infer<typeof announcedServer>;

export const heartbeat = z.object({
  agentVersion: text(40),
  platform: z.enum(["linux", "win32", "darwin"]),
  arch: text(20),
  startedAt: instant,
  configHash: text(64),
});
export type Heartbeat = z.infer<typeof heartbeat>;

// POST /v1/poll

export const pollRequest = z.object({
  protocol: z.int(),
  heartbeat,
  servers: z.array(announcedServer).check(z.maxLength(SERVERS_PER_HOST_MAX)),
  /** Last look at each server; may be empty. */
  status: z.array(serverStatus).check(z.maxLength(SERVERS_PER_HOST_MAX)),
  load: z.optional(hostLoad),
  /** Jobs that the agent holds; their leases are renewed. */
  running: z.array(z.object({ job: jobId, lease: leaseId })).check(z.maxLength(16)),
  /** Seconds to wait for something to do; 0 answers at once. */
  wait: z.int().check(z.minimum(0), z.maximum(POLL_WAIT_MAX_S)),
  /** How many more jobs the agent can take now. */
  room: z.int().check(z.minimum(0), z.maximum(16)),
  /** The host's clock as it sends this: the guild says when it is off. */
  clock: z.optional(instant),
  /** What is wrong with a changed config that the agent does not take; it goes on with the one before. */
  configProblem: z.optional(problem),
  /** Hash of the guild's orders about retention that the agent has; empty for none. Absent: an agent that takes no such orders. */
  retention: z.optional(text(64)),
});
export type PollRequest = z.infer<typeof pollRequest>;

export const pollResponse = z.object({
  jobs: z.array(job),
  /** Jobs among `running` that should stop: cancelled, or leased to somebody else. */
  cancel: z.array(jobId),
  /** Complaints about what the host announced, such as a server id that another host has taken. */
  problems: z.array(problem),
  /** Orders other than those that the agent has said that it has. */
  retention: z.optional(retentionOrders),
});
export type PollResponse = z.infer<typeof pollResponse>;

// POST /v1/enroll

export const enrollRequest = z.object({
  code: z.string().check(z.maxLength(80)),
  /** Ed25519 public key: the `x` of its JWK. */
  publicKey: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/)),
  /** Compact JWS by that key over `{aud: origin, code, iat}`: shows that the sender holds the private key. */
  proof: text(2000),
  heartbeat,
});
export type EnrollRequest = z.infer<typeof enrollRequest>;
export const enrollResponse = z.object({ host: hostId, tenant: text(40), name: text(100) });
export type EnrollResponse = z.infer<typeof enrollResponse>;

// POST /v1/rotate

export const rotateRequest = z.object({
  /** The new Ed25519 public key: the `x` of its JWK. */
  publicKey: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/)),
  /** Compact JWS by the key in use over `{aud: origin, host, key: publicKey, iat}`: the old key signs the new. */
  proof: text(2000),
  /** The same claims signed by the new key: shows that the sender holds it. */
  ownProof: text(2000),
});
export type RotateRequest = z.infer<typeof rotateRequest>;
/** From now on only the new key signs. The same request again is answered the same. */
export const rotateResponse = z.object({ rotated: z.literal(true) });
export type RotateResponse = z.infer<typeof rotateResponse>;

// POST /v1/token (form encoded, RFC 6749 section 4.4 with the client assertion of RFC 7523 section 2.2)

export const CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/** Life of a client assertion, in seconds. */
export const ASSERTION_LIFE_S = 60;
/** Life of an access token, in seconds. */
export const ACCESS_TOKEN_LIFE_S = 900;

export const tokenResponse = z.object({ access_token: z.string(), token_type: z.literal("Bearer"), expires_in: z.int() });
export type TokenResponse = z.infer<typeof tokenResponse>;
