import { VERIFICATION_PROBLEMS_MAX, type VerificationProblem } from "../../schemas/index.ts";

/** As schemas/verification.ts allows, in characters. */
const PATH_MAX = 500;
const DETAIL_MAX = 300;

/** What a verification found, capped. */
export class Findings {
  readonly problems: VerificationProblem[] = [];
  count = 0;

  add(kind: VerificationProblem["kind"], path: string | undefined, detail: string, torn = false): void {
    this.count += 1;
    if (this.problems.length >= VERIFICATION_PROBLEMS_MAX) return;
    const where = path === undefined ? {} : { path: path.slice(-PATH_MAX) };
    this.problems.push({ kind, ...where, detail: detail.slice(0, DETAIL_MAX), ...(torn && { torn }) });
  }

  /** The first of it in a line, for logs and marks. */
  get words(): string {
    const [first] = this.problems;
    if (first === undefined) return "nothing";
    const more = this.count > 1 ? ` (and ${this.count - 1} more)` : "";
    return `${first.path === undefined ? "" : `${first.path}: `}${first.detail}${more}`;
  }
}
