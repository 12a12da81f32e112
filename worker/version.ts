import pkg from "../package.json" with { type: "json" };

/** The Worker's own version: agents are released with it. */
export const VERSION: string = pkg.version;
