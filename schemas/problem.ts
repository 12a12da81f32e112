import * as z from "zod/mini";

/** The body of every refusal: a stable code for programs, a message for people that says what to do next. */
export const problem = z.object({ code: z.string().check(z.maxLength(64)), message: z.string().check(z.maxLength(1000)) });
export type Problem = z.infer<typeof problem>;
