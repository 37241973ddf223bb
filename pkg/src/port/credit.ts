/** Credit: how much a client may have sent without an answer, so that memory stays flat however slow the other side is. */

/** What a host allows each client. */
export const MESSAGES_MAX = 1 << 14;
export const BYTES_MAX = 5 << 20;

export class Credit {
  private messages = 0;
  private bytes = 0;

  /** A client has none before the host's welcome. */
  constructor(private messagesMax = 0, private bytesMax = 0) {}

  grant(messages: number, bytes: number): void {
    this.messagesMax = messages;
    this.bytesMax = bytes;
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.messages === 0;
  }

  /** Whether so much more is within bounds. */
  allows(messages: number, bytes: number): boolean {
    return this.messages + messages <= this.messagesMax && this.bytes + bytes <= this.bytesMax;
  }

  /** Whether so much may go now in one piece. When nothing is under way one piece may, however large, where anything may at all. */
  holds(messages: number, bytes: number): boolean {
    return this.isIdle ? this.messagesMax > 0 : this.allows(messages, bytes);
  }

  /** How many messages of `count`, the first of `bytesOf(0)` bytes and so on, may go now. */
  fits(count: number, bytesOf: (place: number) => number): number {
    if (this.messagesMax === 0) return 0;
    const most = Math.min(count, this.messagesMax - this.messages);
    let room = this.bytesMax - this.bytes;
    let fits = 0;
    while (fits < most && (room -= bytesOf(fits)) >= 0) fits += 1;
    return this.isIdle ? Math.max(1, fits) : fits;
  }

  take(messages: number, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
  }

  giveBack(messages: number, bytes: number): void {
    this.messages -= messages;
    this.bytes -= bytes;
  }
}
