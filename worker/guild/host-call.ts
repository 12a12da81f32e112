/** Which host calls, and from where: its access token proves the one, Cloudflare's edge names the other. */
export interface HostCall {
  host: string;
  /** Null where there is no such edge. */
  address: string | null;
}
