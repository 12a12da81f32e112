/** One page of an S3 listing (ListObjectsV2), with `encoding-type=url`. */
export interface S3Page {
  files: { key: string; bytes: number }[];
  /** Where the next page begins; null on the last. */
  next: string | null;
}

/** @returns null when it is no listing */
export function parsePage(xml: string): S3Page | null {
  if (!/<ListBucketResult[\s>]/.test(xml) || !xml.includes("</ListBucketResult>")) return null;
  const files: S3Page["files"] = [];
  for (const [, contents = ""] of xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
    const [key, size] = [textOf(contents, "Key"), textOf(contents, "Size")];
    if (key === null || size === null || !/^\d{1,15}$/.test(size)) return null;
    try {
      files.push({ key: decodeURIComponent(key.replaceAll("+", " ")), bytes: Number(size) });
    } catch (error) {
      // A key that somebody else encoded otherwise: none of ours.
      if (!(error instanceof URIError)) throw error;
    }
  }
  if (textOf(xml, "IsTruncated") !== "true") return { files, next: null };
  const next = textOf(xml, "NextContinuationToken");
  return next === null || next === "" ? null : { files, next };
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function textOf(xml: string, tag: string): string | null {
  const text = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1];
  if (text === undefined) return null;
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
