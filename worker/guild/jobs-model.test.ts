import { walkSeeds } from "./testing/model-test.ts";

// The other half of the seeds is in jobs-model-2.test.ts, so that both run at the same time where there are cores enough.
walkSeeds(0, 2);
