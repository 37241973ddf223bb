/** What the model has of a message: where it is, who has it, and when it may come. */

export class MessageModel {
  id = undefined;
  /** "asked", "confirmed", "refused", "unknown". */
  state = "asked";
  /** The number of the message of which this is a duplicate; -1: of one whose number is not known. */
  duplicateOf = 0;
  /** By the wall clock of all, when it was confirmed. */
  confirmedBy = Infinity;
  holder = undefined;
  /** The attempt seen last, where it is now. */
  attempts = 0;
  ackedBy = undefined;
  deadAsked = false;
  dead = false;
  cancelled = false;
  cancelAsked = false;
  /** The context that purged it away while nobody had it, and when, by the wall clock there. */
  purged = undefined;
  /** An old copy of the storage was put in its place since it was sent: it may be anywhere, and in any state. */
  wild = false;
  /** Leases that nobody saw when this was seen last, and when that was. */
  unseenAt = 0;
  seenAt = -Infinity;
  /** Not to be delivered before: by the wall clock of all, or by the world's time. */
  notBefore = 0;
  notBeforeAt = 0;
  found = undefined;

  constructor(uid, queue, spec, sentWall, sentAt, local) {
    this.uid = uid;
    this.home = queue;
    this.at = queue;
    this.spec = spec;
    this.sentWall = sentWall;
    this.sentAt = sentAt;
    this.unseenAt = queue.unseen;
    this.seenAt = sentAt;
    const delay = spec.delay ?? queue.policy.deliveryDelay ?? 0;
    this.delayed(delay, sentWall, local);
    const expiry = Math.min(spec.expire ?? Infinity, queue.policy.messageRetention ?? Infinity);
    this.expiryMs = expiry * 1000;
    this.mayExpire = expiry < Infinity;
  }

  /** It is to wait for so many seconds. */
  delayed(seconds, wall, at) {
    this.notBefore = seconds > 0 ? wall + seconds * 1000 : 0;
    this.notBeforeAt = seconds > 0 ? at + seconds * 1000 : 0;
  }
}
