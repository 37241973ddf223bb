//! Every bound of the engine in one place, each with its reason.

/// Messages one record may bring. Larger sends are split over records, so that one step stays short enough for
/// others to get their turn between two of them.
pub const RECORD_MESSAGES_MAX: u32 = 1 << 16;
/// Bytes of bodies one record may bring, unless a single message or an all-or-nothing batch is larger.
pub const RECORD_BYTES_MAX: u64 = 8 << 20;
/// Items one record may hold. It bounds what a peer must hold in memory to replay one step.
pub const RECORD_ITEMS_MAX: usize = 1 << 16;
/// Items a decision fills by itself; the rest is room for what rides along.
pub const DRAFT_ITEMS_MAX: usize = RECORD_ITEMS_MAX - 4096;
/// Hand-outs and give-backs that ride along with one record, of each.
pub const RIDERS_MAX: usize = 1024;
/// Messages of one all-or-nothing batch: they share a record, and a message's place in it has 20 bits.
pub const BATCH_MESSAGES_MAX: u32 = 1 << 20;

/// Up to here bodies ride in the record's own value: one put a step. Past it they go apart, so that reading the
/// journal's tail does not read them.
pub const INLINE_MESSAGES_MAX: u32 = 128;
/// As [`INLINE_MESSAGES_MAX`], in bytes: the knee past which a second put costs less than the bytes it keeps apart.
pub const INLINE_BYTES_MAX: u64 = 16 << 10;
/// Messages a value of bodies kept apart may hold, as a power of two: receiving one reads at most these.
pub const CHUNK_LOG_MAX: u8 = 7;
/// Bytes a value of bodies kept apart should hold at most.
pub const CHUNK_BYTES_MAX: u64 = 64 << 10;

/// Characters of a queue's name (UTF-8 bytes).
pub const NAME_BYTES_MAX: usize = 2048;
/// Bytes of an idempotency key: 256 characters of JavaScript, of which a half one takes 5.
pub const KEY_BYTES_MAX: usize = 256 * 5;
/// Keys a queue remembers. A send with one more is refused: none is forgotten before its window ends.
pub const KEYS_MAX: usize = 1_000_000;
/// As [`KEYS_MAX`], in bytes of their texts.
pub const KEYS_BYTES_MAX: usize = 64 << 20;
/// Bytes kept of the reason of a dead letter and of a handler's last error.
pub const NOTE_BYTES_MAX: usize = 512;
/// Queues a journal may hold. Dead-letter queues that were deleted and are needed again come on top, as many at most.
pub const QUEUES_MAX: usize = 10_000;

/// Overdue timers a decision looks at. When more are due, a record without items moves the journal's time first.
pub const OVERDUE_SCAN_MAX: usize = 256;

/// Messages leased ahead of demand, at least, while a receiver is busy.
pub const PREFETCH_MIN: u32 = 8;
/// Messages leased ahead of demand, at most.
pub const PREFETCH_MAX: u32 = 256;
/// Leased ahead only while the receiver came back within this time, in milliseconds.
pub const PREFETCH_ACTIVE_MS: u64 = 200;
/// What was leased ahead and not asked for goes back after this time, in milliseconds.
pub const PREFETCH_IDLE_MS: u64 = 1000;
/// A hand-out from what was leased ahead is recorded with the next step, or by itself after this time, in milliseconds.
pub const START_DELAY_MS: u64 = 100;

/// Records between two snapshots, at least.
pub const SNAPSHOT_RECORDS_MIN: u64 = 256;
/// A snapshot of this many bytes allows one more record before the next: its cost stays a small part of the records'.
pub const SNAPSHOT_BYTES_A_RECORD: u64 = 4096;
/// Bytes of bodies that may wait for deletion before a snapshot is made for their sake.
pub const GARBAGE_BYTES_MAX: u64 = 4 << 20;
/// The newest records stay when a snapshot cleans up, so that a peer that is only a little behind reads them
/// instead of the snapshot, and learns what became of its own.
pub const FLOOR_GRACE: u64 = 256;
/// As [`FLOOR_GRACE`], when there are many bytes to delete, or room is wanted for others.
pub const FLOOR_GRACE_FULL: u64 = 16;
/// Ranges deleted with one snapshot; what is left over waits for the next.
pub const DRAINED_RANGES_MAX: usize = 512;
