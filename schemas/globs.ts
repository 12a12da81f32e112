/**
 * What a glob may look like wherever one is written: in a profile, in config.yaml, in a job. It is matched against the path of a file relative to
 * the server's folder, with `/` between folders on every platform, and cannot lead out of that folder.
 */
export const GLOB_LENGTH_MAX = 300;

/** A pattern that every glob matches, and what to say of one that does not. */
export const GLOB_RULES: readonly (readonly [RegExp, string])[] = [
  [/^[^\\]+$/, "use / between folders, also on Windows"],
  [/^(?!\/)(?![A-Za-z]:)/, "globs are relative to the server's folder"],
  [/^(?!(?:.*\/)?\.\.(?:\/|$))/, "a glob cannot leave the server's folder"],
  [/^(?!!)/, "a glob cannot start with !; put what should be left out under exclude"],
];
