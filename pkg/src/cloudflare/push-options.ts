/** Who is pushed the messages of a queue. */

import type { ConsumerOptions } from "../contract/types";
import type { Policy } from "./rpc";
import type { Service } from "./platform";

/** Who gets the messages of a queue, and how. The policy is the queue's: it is made with it. */
export interface PushConsumer extends Policy, Pick<ConsumerOptions, "maxBatchSize" | "maxBatchTimeout" | "maxConcurrency"> {
  /** The Worker's binding: `this.env.CONSUMER`. */
  service: Service;
}
