import { walkSeeds } from "./testing/model-test.ts";

walkSeeds(1, 2);
