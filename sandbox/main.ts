import { parseArgs } from "node:util";
import { startSandbox } from "./index.ts";

const { values } = parseArgs({
  options: { port: { type: "string", default: "0" }, interactions: { type: "string" }, keep: { type: "string" } },
});

const port = Number(values.port);
if (!/^\d{1,5}$/.test(values.port) || port > 65_535) {
  console.error("--port takes a number from 0 to 65535; 0 takes any free port.");
  process.exit(64);
}

const sandbox = await startSandbox({ port, interactionsUrl: values.interactions, keepFile: values.keep });
console.log(`Page            ${sandbox.url}/`);
console.log(`REST API        ${sandbox.apiUrl}`);
console.log(`Application id  ${sandbox.applicationId}`);
console.log(`Public key      ${sandbox.publicKey}`);
console.log(`Bot token       ${sandbox.botToken}`);
if (values.interactions === undefined)
  console.log("No interactions are sent until an endpoint is set: --interactions URL, or PATCH /applications/@me.");

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    sandbox.close().catch((error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    });
  });
}
