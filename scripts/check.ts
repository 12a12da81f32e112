/** Checks what neither the linter nor the compiler knows of. Run: `npm run check`. */
import { projectProblems } from "./project-rules.ts";

const problems = await projectProblems();
for (const problem of problems) console.error(problem);
if (problems.length === 0) console.log("Generated files, profiles and imports are in order.");
else process.exitCode = 1;
