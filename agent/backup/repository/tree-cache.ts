import type { Id } from "./format/ids.ts";
import type { TreeNode } from "./format/tree.ts";

/** Trees that are kept after decoding, counted in bytes of their JSON. In memory they take some five times as much. */
const CACHE_BYTES = 2 * 1024 * 1024;

/** The trees read last. Whoever gets one must not change it. */
export class TreeCache {
  readonly #trees = new Map<Id, { nodes: TreeNode[]; bytes: number }>();
  #bytes = 0;

  get(id: Id): TreeNode[] | undefined {
    const found = this.#trees.get(id);
    if (found === undefined) return undefined;
    this.#trees.delete(id);
    this.#trees.set(id, found);
    return found.nodes;
  }

  set(id: Id, nodes: TreeNode[], bytes: number): void {
    if (bytes > CACHE_BYTES || this.#trees.has(id)) return;
    this.#trees.set(id, { nodes, bytes });
    this.#bytes += bytes;
    for (const [oldest, tree] of this.#trees) {
      if (this.#bytes <= CACHE_BYTES) break;
      this.#trees.delete(oldest);
      this.#bytes -= tree.bytes;
    }
  }
}
