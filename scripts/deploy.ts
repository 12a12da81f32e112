import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `npm run deploy`: deploys with wrangler.toml. A deployment that `npm run setup` made has a config of its own, and deploying over it with the empty
 * variables of wrangler.toml would take Discord away from it: then this refuses.
 */
const root = fileURLToPath(new URL("..", import.meta.url));

function objection(): string | undefined {
  if (existsSync(path.join(root, "reconsync.wrangler.json"))) {
    return "this deployment was made by `npm run setup`; run that again to deploy this version";
  }
  const empty = ["DISCORD_APPLICATION_ID", "DISCORD_PUBLIC_KEY"].filter((name) =>
    new RegExp(`^${name} = ""`, "m").test(readFileSync(path.join(root, "wrangler.toml"), "utf8")),
  );
  return empty.length === 0 ? undefined : `${empty.join(" and ")} are empty in wrangler.toml; fill them in, or use \`npm run setup\``;
}

const why = objection();
if (why === undefined || process.argv.includes("--dry-run")) {
  const wrangler = path.join(root, "node_modules/wrangler/bin/wrangler.js");
  const { status } = spawnSync(process.execPath, [wrangler, "deploy", ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
  process.exitCode = status ?? 1;
} else {
  console.error(`deploy: ${why}`);
  process.exitCode = 1;
}
