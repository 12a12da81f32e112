import type { BackupResult, Instant, RetentionPolicy } from "../../schemas/index.ts";
import type { Format } from "../discord/text.ts";
import type { EffectivePolicy } from "./retention-keeper.ts";
import type { Brake, FrozenReason } from "./retention-table.ts";

/** What people are shown of retention: plain values, rendered in `discord/`. */

export interface PolicyView {
  format: Format;
  /** Null for all servers without one of their own. */
  server: string | null;
  serverName: string | null;
  /** Null: nothing is set, and each host's own config decides. */
  effective: EffectivePolicy | null;
  /** Who set it and when; null when the host's config decides. */
  by: string | null;
  at: Instant | null;
  frozen: Brake["frozen"];
}

export interface RetainedView {
  /** The archive, or the start of the snapshot's id. */
  name: string;
  at: Instant;
  bytes: number;
  store: BackupResult["store"];
  reasons: string[];
}

export interface PreviewView {
  format: Format;
  server: string;
  serverName: string;
  policy: RetentionPolicy;
  from: EffectivePolicy["from"] | "asked";
  frozen: Brake["frozen"];
  /** Why the brake would stop it. */
  tooMuch: FrozenReason[];
  /** Newest first. */
  kept: RetainedView[];
  gone: RetainedView[];
  /** Out of the lists already, still in R2. */
  waiting: { count: number; bytes: number };
}

export interface MarkedView {
  server: string;
  serverName: string;
  name: string;
  at: Instant;
  pinned: boolean;
  tags: string[];
  note: string | null;
}

export interface UndeletedView {
  server: string;
  serverName: string;
  names: string[];
}
