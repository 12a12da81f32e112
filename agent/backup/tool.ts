import packageFile from "../../package.json" with { type: "json" };

/** What a manifest says made it, such as `reconsync/0.1.0`. */
export const TOOL = `reconsync/${packageFile.version}`;
/** How every tool name of ReconSync begins, whatever the version. */
export const TOOL_PREFIX = "reconsync/";
