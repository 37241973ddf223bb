/** Why a try failed, and what that means for the next. */

export class Refusal {
  /**
   * `retry`: another try may do. `unknown`: the target may have the batch. `split`: the batch is too large, or one of its
   * messages can't be taken. `afterMs`: not to be tried again before.
   */
  constructor(readonly cause: unknown, readonly retry: boolean, readonly unknown = false, readonly split = false, readonly afterMs = 0) {}
}
