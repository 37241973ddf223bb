//! A journal in memory, its peers, and a ledger of what they told: every effect is checked against it.

#[path = "hearing.rs"]
mod hearing;

use std::collections::{BTreeMap, BTreeSet};

use posthaste::{
    collections::sizes::Sizes,
    engine::{Engine, Queue, Standing},
    format::{Backoff, Overflow, Policy, Record, Whole},
    id::{MessageId, QueueId, Time},
    peer::{Peer, SendOrder, Settle},
};

pub type Check = Result<(), String>;

/// Queues that commands send to. The next one is the keeper, which only dead letters come to.
pub const POLICIES: usize = 5;
const NAMES: [&str; POLICIES + 1] = ["work", "ring", "strict", "newest", "narrow", "dead"];
const NEWEST: usize = 3;
const BODY_BYTES: u64 = 100;
const DRAIN_ROUNDS: u32 = 40;
/// Far more than anything here takes.
const STEPS_AT_ONCE_MAX: u32 = 60;

/// Not every test does all of it.
#[allow(dead_code)]
#[derive(Clone, Debug)]
pub enum Do {
    Send {
        queue: usize,
        count: u32,
        atomic: bool,
        delay: Option<u64>,
        expires: Option<u64>,
        key: Option<u8>,
        /// How much their sizes differ; 0: they do not.
        spread: u64,
    },
    /// All or nothing, its parts with delays of their own.
    Batch {
        queue: usize,
        parts: Vec<(u32, Option<u64>)>,
    },
    Receive {
        queue: usize,
        max: u32,
        wait: bool,
    },
    Finish {
        which: usize,
        finish: Finish,
    },
    Cancel {
        which: usize,
    },
    Purge {
        queue: usize,
    },
    Pause {
        queue: usize,
        paused: bool,
    },
    Redrive {
        max: u64,
    },
    ReleaseIdle,
    /// Time goes on; what is due on the way is done.
    Pass(u64),
    /// The clocks are set back so far.
    SetBack(u64),
    Step,
    /// Steps at one time, until there is nothing more to do then.
    Rest,
}

#[derive(Clone, Copy, Debug)]
pub enum Finish {
    Ack,
    Retry(Option<u64>),
    DeadLetter,
    Extend(u64),
    Release,
}

enum Ask {
    Create,
    /// `sizes`: of what has no answer yet.
    Send {
        atomic: bool,
        queue: QueueId,
        sizes: Vec<u64>,
        key: Option<Box<str>>,
    },
    Receive(QueueId),
    Finish {
        held: Held,
        finish: Finish,
        lost: BTreeSet<MessageId>,
    },
    Cancel(MessageId),
    Other,
}

/// A delivered message under its lease.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Held {
    id: MessageId,
    peer: usize,
    queue: QueueId,
    grant: u64,
    until: Time,
}

#[derive(Default)]
pub struct Journal {
    pub peers: Vec<Peer>,
    pub records: Vec<Vec<u8>>,
    now: Time,
    /// The time of the last record.
    written: Time,
    asks: BTreeMap<u32, Ask>,
    token: u32,
    /// Every message in the order it was first delivered.
    pub delivered: Vec<MessageId>,
    pub sent: BTreeSet<MessageId>,
    /// Of each message that was accepted.
    sizes: BTreeMap<MessageId, u64>,
    /// Leases that applications hold, as far as they know; those that ran out, until someone takes the message.
    leases: BTreeMap<MessageId, Held>,
    /// Deliveries of each message that count, in the queue it was last delivered from.
    attempts: BTreeMap<MessageId, (QueueId, u32)>,
    acked: BTreeSet<MessageId>,
    dropped: BTreeSet<MessageId>,
    /// By the record whose effects are being taken in.
    dropping: BTreeSet<MessageId>,
    cancelled: BTreeSet<MessageId>,
    /// What was refused by dropping it on arrival.
    overflowed: BTreeSet<MessageId>,
    /// Tokens of batches that have no answer yet, and the first message of each send that has.
    batches: Vec<Vec<u32>>,
    taken: BTreeMap<u32, MessageId>,
    keyed: BTreeMap<(QueueId, Box<str>), (MessageId, Time)>,
}

fn policy(name: &str) -> Policy {
    let backoff = Backoff { base_ms: 500, factor: 2000, max_ms: 10_000, jitter: 300 };
    let base = Policy { visibility_ms: 5000, window_ms: 10_000, max_retries: 2, backoff, ..Policy::default() };
    let dead = Some("dead".into());
    match name {
        "work" => Policy { capacity_messages: 25, dead_letter_queue: dead, ..base },
        "ring" => Policy { capacity_messages: 6, overflow: Overflow::DropOldest, retention_ms: 60_000, ..base },
        "strict" => Policy { capacity_messages: 8, overflow: Overflow::Reject, dead_letter_queue: dead, ..base },
        "newest" => Policy { capacity_messages: 7, overflow: Overflow::DropNewest, ..base },
        _ => Policy { capacity_bytes: 9 * BODY_BYTES + 50, dead_letter_queue: dead, ..base },
    }
}

impl Journal {
    pub fn new(peers: u64) -> Self {
        let mut journal = Self { now: 1_800_000_000_000, ..Self::default() };
        journal.peers = (1..=peers).map(|id| Peer::new(id, id, false)).collect();
        for name in &NAMES[..POLICIES] {
            let token = journal.ask(Ask::Create);
            journal.peers[0].create(token, name, policy(name));
        }
        journal.step(0).expect("there is nothing to go wrong yet");
        journal.catch_up();
        journal
    }

    fn ask(&mut self, ask: Ask) -> u32 {
        self.token += 1;
        self.asks.insert(self.token, ask);
        self.token
    }

    fn engine(&self) -> &Engine {
        self.peers[0].engine()
    }

    fn queue(&self, queue: usize) -> QueueId {
        self.engine().named(NAMES[queue]).expect("it was made at the start")
    }

    pub fn act(&mut self, at: usize, command: Do) -> Check {
        match command {
            Do::Send { queue, count, atomic, delay, expires, key, spread } => {
                let queue = self.queue(queue);
                let key: Option<Box<str>> = key.map(|key| format!("key {key}").into());
                let each: Vec<u64> = (0..count).map(|place| BODY_BYTES + spread * u64::from(place * 7 % 11)).collect();
                let sizes = each.iter().copied().collect();
                let token = self.ask(Ask::Send { atomic, queue, sizes: each, key: key.clone() });
                let whole = if atomic { Whole::First } else { Whole::No };
                let order = SendOrder { queue, sizes, delay_ms: delay, expires_ms: expires, whole, more: 0, key };
                self.peers[at].send(token, order);
            }
            Do::Batch { queue, parts } => {
                let queue = self.queue(queue);
                self.send_batch(at, queue, &parts);
            }
            Do::Receive { queue, max, wait } => {
                let queue = self.queue(queue);
                let token = self.ask(Ask::Receive(queue));
                self.sync(at)?;
                self.peers[at].receive(token, queue, max, None, wait, self.now);
                self.hear(at, false)?;
            }
            Do::Finish { which, finish } => self.finish(which, finish),
            Do::Cancel { which } => {
                if let Some(&id) = self.sent.iter().nth(which % self.sent.len().max(1)) {
                    let holds =
                        |queue: &QueueId| self.engine().queue(*queue).is_some_and(|queue| queue.find(id).is_some());
                    let queue = self.engine().queues().map(|(queue, _)| queue).find(holds).unwrap_or(0);
                    let token = self.ask(Ask::Cancel(id));
                    self.peers[at].cancel(token, queue, id);
                }
            }
            Do::Purge { queue } => {
                let (queue, token) = (self.queue(queue), self.ask(Ask::Other));
                self.peers[at].purge(token, queue);
            }
            Do::Pause { queue, paused } => {
                let (queue, token) = (self.queue(queue), self.ask(Ask::Other));
                self.peers[at].pause(token, queue, paused);
            }
            Do::Redrive { max } => {
                let (queue, token) = (self.queue(POLICIES), self.ask(Ask::Other));
                self.peers[at].redrive(token, queue, None, max);
            }
            Do::ReleaseIdle => self.peers[at].release_idle(),
            Do::Pass(ms) => self.pass(ms)?,
            Do::SetBack(ms) => self.now -= ms,
            Do::Step => self.step(at).map(drop)?,
            Do::Rest => self.rest(at)?,
        }
        Ok(())
    }

    fn send_batch(&mut self, at: usize, queue: QueueId, parts: &[(u32, Option<u64>)]) {
        let more = parts.iter().skip(1).map(|(count, _)| count).sum();
        let (expires_ms, key) = (None, None);
        let mut tokens = Vec::new();
        for (&(count, delay_ms), whole) in
            parts.iter().zip([Whole::First].into_iter().chain(std::iter::repeat(Whole::Part)))
        {
            let sizes = Sizes::alike(count, BODY_BYTES);
            let token = self.ask(Ask::Send { atomic: true, queue, sizes: sizes.iter().collect(), key: None });
            let more = if whole == Whole::First { more } else { 0 };
            self.peers[at].send(token, SendOrder { queue, sizes, delay_ms, expires_ms, whole, more, key: key.clone() });
            tokens.push(token);
        }
        self.batches.push(tokens);
    }

    /// The parts of each batch have their answer together, and the same.
    fn check_batches(&mut self) -> Check {
        for tokens in &self.batches {
            let open = tokens.iter().filter(|token| self.asks.contains_key(token)).count();
            let taken: Vec<_> = tokens.iter().filter_map(|token| self.taken.get(token)).collect();
            let stand = taken.iter().filter(|first| !self.overflowed.contains(first)).count();
            if open % tokens.len() != 0 || taken.len() % tokens.len() != 0 || stand % tokens.len() != 0 {
                return Err(format!("a batch is torn: {open} open, {} sent, {stand} stand", taken.len()));
            }
        }
        self.batches.retain(|tokens| tokens.iter().all(|token| self.asks.contains_key(token)));
        Ok(())
    }

    fn finish(&mut self, which: usize, finish: Finish) {
        let Some((_, &held)) = self.leases.iter().nth(which % self.leases.len().max(1)) else { return };
        let how = match &finish {
            Finish::Ack => Settle::Ack,
            Finish::Retry(delay_ms) => Settle::Retry { delay_ms: *delay_ms, error: Some("no route".into()) },
            Finish::DeadLetter => Settle::DeadLetter { reason: "unreadable".into() },
            Finish::Extend(ms) => Settle::Extend { ms: *ms },
            Finish::Release => Settle::Release,
        };
        let token = self.ask(Ask::Finish { held, finish, lost: BTreeSet::new() });
        self.peers[held.peer].settle(token, held.queue, held.id, 1, held.grant, how);
    }

    fn pass(&mut self, ms: u64) -> Check {
        let end = self.now + ms;
        loop {
            let now = self.now;
            let due = self.peers.iter_mut().map(|peer| peer.deadline(now)).min().unwrap_or(end);
            if due >= end {
                self.now = end;
                return Ok(());
            }
            self.now = due.max(now + 1);
            (0..self.peers.len()).try_for_each(|at| self.step(at).map(drop))?;
        }
    }

    /// Lets a peer read what it does not know.
    fn sync(&mut self, at: usize) -> Check {
        while self.peers[at].engine().base() < self.records.len() as u64 {
            let base = self.peers[at].engine().base();
            let known = self.peers[at].apply(base + 1, &self.records[base as usize]);
            known.map_err(|error| format!("a record can't be read: {error:?}"))?;
        }
        self.hear(at, false)
    }

    pub fn catch_up(&mut self) {
        (0..self.peers.len()).try_for_each(|at| self.sync(at)).expect("nothing new is promised by reading");
    }

    /// Of a peer that has nothing to do now the deadline is later: else its loop would spin.
    fn rest(&mut self, at: usize) -> Check {
        let mut steps = 0;
        while self.step(at)? {
            steps += 1;
            if steps == STEPS_AT_ONCE_MAX {
                return Err(format!("{steps} steps at one time, and more to come"));
            }
        }
        let (now, deadline) = (self.now, self.peers[at].deadline(self.now));
        if deadline > now { Ok(()) } else { Err(format!("nothing to do at {now}, but again at {deadline}")) }
    }

    /// Whether there was something to do.
    fn step(&mut self, at: usize) -> Result<bool, String> {
        self.sync(at)?;
        let decided = self.peers[at].decide(self.now);
        self.hear(at, false)?;
        if decided {
            let bytes = self.peers[at].record().to_vec();
            let record = Record::decode(&bytes).map_err(|error| format!("a record can't be read: {error:?}"))?;
            self.records.push(bytes);
            self.written = record.time;
            self.peers[at].committed(self.records.len() as u64);
            self.hear(at, true)?;
            self.check_batches()?;
            self.check_counts(at)?;
        }
        Ok(decided)
    }

    fn count_attempt(&mut self, held: Held) {
        self.attempts.entry(held.id).or_insert((held.queue, 0)).1 += 1;
    }

    fn check_counts(&self, at: usize) -> Check {
        for (_, queue) in self.peers[at].engine().queues() {
            let tally = &queue.tally;
            let accounted = tally.acked + tally.dead_lettered + tally.dropped.iter().sum::<u64>() + queue.backlog();
            if tally.sent != accounted {
                return Err(format!("counts of {} do not add up: {tally:?}, backlog {}", queue.name, queue.backlog()));
            }
            if queue.backlog() > queue.policy.capacity_messages || queue.bytes() > queue.policy.capacity_bytes {
                return Err(format!("{} is over its capacity: {}", queue.name, queue.backlog()));
            }
            self.check_sizes(queue)?;
            for later in [0, 1, 700, 5000, 9000, 60_000, 1 << 40] {
                let Standing { counts, expired, .. } = queue.standing_at(self.now + later);
                let there = counts.all();
                if there + expired != queue.backlog() {
                    return Err(format!("counts of {} do not add up in {later} ms: {counts:?}", queue.name));
                }
            }
            let purged = tally.dropped[2];
            if queue.keeper && tally.dropped.iter().sum::<u64>() > purged {
                return Err(format!("{} dropped by itself: {tally:?}", queue.name));
            }
        }
        Ok(())
    }

    /// Every message has the size it was sent with, and the queue has their sum.
    fn check_sizes(&self, queue: &Queue) -> Check {
        let (mut from, mut sum) = (MessageId(0), 0);
        while let Some((first, run)) = queue.next(from) {
            from = first.plus(run.count);
            for place in 0..run.count {
                let (id, size) = (first.plus(place), run.sizes.at(place));
                sum += size;
                if self.sizes.get(&id) != Some(&size) {
                    return Err(format!("{id:?} has {size} bytes, and was sent with {:?}", self.sizes.get(&id)));
                }
            }
        }
        if sum == queue.bytes() {
            Ok(())
        } else {
            Err(format!("{} has {sum} bytes, not {}", queue.name, queue.bytes()))
        }
    }

    /// Receives and acks until nothing is left.
    pub fn drain(&mut self) -> Check {
        for _ in 0..DRAIN_ROUNDS {
            for at in 0..self.peers.len() {
                for queue in 0..=POLICIES {
                    self.act(at, Do::Pause { queue, paused: false })?;
                }
                self.step(at)?;
                for queue in 0..=POLICIES {
                    self.act(at, Do::Receive { queue, max: 50, wait: false })?;
                }
                for _ in 0..3 {
                    self.step(at)?;
                    (0..self.leases.len()).for_each(|which| self.finish(which, Finish::Ack));
                    (0..self.peers.len()).try_for_each(|at| self.step(at).map(drop))?;
                }
            }
            self.pass(30_000)?;
            self.catch_up();
            let waits = self.asks.values().any(|ask| matches!(ask, Ask::Send { .. }));
            if !waits && self.engine().queues().all(|(_, queue)| queue.backlog() == 0) {
                return Ok(());
            }
        }
        Err(format!("not drained after {DRAIN_ROUNDS} rounds"))
    }

    /// Every message that was accepted ended in exactly one way.
    pub fn check_all_ended(&self) -> Check {
        for id in &self.sent {
            if self.acked.contains(id) == self.dropped.contains(id) {
                return Err(format!("{id:?} was lost, or ended twice"));
            }
        }
        if !self.cancelled.is_subset(&self.dropped) {
            return Err("what was cancelled was not dropped".into());
        }
        let counted: u64 = self.engine().queues().map(|(_, queue)| queue.tally.acked).sum();
        let acked = self.acked.len() as u64;
        if counted == acked { Ok(()) } else { Err(format!("{acked} were acked, {counted} are counted")) }
    }
}
