//! Plays a story: peers by name, one journal, one clock.
//!
//! | line | |
//! |---|---|
//! | `peer a` | a peer of the journal, which has heard nothing yet |
//! | `at 5000` | the time, in milliseconds from the beginning |
//! | `a create work retries=1 letters=dead delay=MS lease=MS capacity=N` | |
//! | `a send work 3 delay=MS whole key=TEXT bytes=N` | |
//! | `a receive work 10 wait` | |
//! | `a ack work 2-0 3 by 5` | of three messages, from 2-0 on, leased by record 5; so `retry`, `extend`, `release`, `letter` |
//! | `a cancel work 2-0`, `a purge work`, `a pause work`, `a resume work`, `a redrive work` | |
//! | `a bury b` | ends the leases of b, which is dead |
//! | `a step` | decides, and appends the record; where others were quicker it hears theirs first |
//! | `a hear` | applies the records of others |
//! | `a look work` | the state of the queue as the peer has it |

use posthaste::{
    collections::sizes::Sizes,
    engine::Cause,
    format::{How, Item, Policy, Record, Whole},
    id::{MessageId, NEVER, QueueId, Time},
    peer::{Effect, Peer, SendOrder, Settle},
};
use std::collections::BTreeMap;

const START: Time = 1_800_000_000_000;

#[derive(Default)]
struct Stage {
    peers: BTreeMap<String, Peer>,
    /// Their names, by their numbers from 1 on.
    names: Vec<String>,
    /// The records, from number 1 on.
    journal: Vec<Vec<u8>>,
    now: Time,
    token: u32,
}

/// The story with what happened in the place of the indented lines.
pub fn play(told: &str) -> String {
    let mut stage = Stage::default();
    let mut out = String::new();
    for line in told.lines().filter(|line| !line.starts_with(' ')) {
        out += &format!("{line}\n");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        for happened in stage.act(line) {
            out += &format!("    {happened}\n");
        }
    }
    out
}

/// The words of a line: those in order, and `name=value`.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
    line: &'a str,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        let (mut plain, mut named) = (Vec::new(), BTreeMap::new());
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) => _ = named.insert(name, value),
                None => plain.push(word),
            }
        }
        Self { plain, named, line }
    }

    fn word(&self, at: usize) -> &'a str {
        self.plain.get(at).copied().unwrap_or_else(|| panic!("{:?} says too little", self.line))
    }

    fn number(&self, at: usize) -> u64 {
        self.word(at).parse().unwrap_or_else(|_| panic!("{:?}: word {at} is no number", self.line))
    }

    fn given(&self, name: &str) -> Option<u64> {
        self.named
            .get(name)
            .map(|value| value.parse().unwrap_or_else(|_| panic!("{:?}: {name} is no number", self.line)))
    }

    fn id(&self, at: usize) -> MessageId {
        let (number, index) = self.word(at).split_once('-').expect("an id is two numbers");
        MessageId::new(number.parse().unwrap(), index.parse().unwrap()).expect("an id in range")
    }
}

impl Stage {
    fn act(&mut self, line: &str) -> Vec<String> {
        let words = Words::of(line);
        match words.word(0) {
            "peer" => {
                self.names.push(words.word(1).to_owned());
                let number = self.names.len() as u64;
                self.peers.insert(words.word(1).to_owned(), Peer::new(number, number, false));
                return Vec::new();
            }
            "at" => {
                self.now = words.number(1);
                return Vec::new();
            }
            _ => {}
        }
        let name = words.word(0);
        let mut peer = self.peers.remove(name).unwrap_or_else(|| panic!("{line:?}: there is no peer {name}"));
        let mut happened = Vec::new();
        match words.word(1) {
            "step" => happened = self.step(&mut peer),
            "hear" => self.hear(&mut peer),
            "look" => happened.push(state(&peer, queue_of(&peer, &words))),
            _ => self.ask(&mut peer, &words),
        }
        happened.extend(peer.effects().iter().map(effect_text));
        self.peers.insert(name.to_owned(), peer);
        happened
    }

    fn wall(&self) -> Time {
        START + self.now
    }

    fn hear(&mut self, peer: &mut Peer) {
        for (at, record) in self.journal.iter().enumerate().skip(peer.engine().base() as usize) {
            peer.apply(at as u64 + 1, record).expect("it was written by a peer");
        }
    }

    fn step(&mut self, peer: &mut Peer) -> Vec<String> {
        if !peer.decide(self.wall()) {
            return vec!["nothing to write".into()];
        }
        let record = peer.record().to_vec();
        self.hear(peer);
        self.journal.push(record.clone());
        let number = self.journal.len() as u64;
        let items = Record::decode(&record).expect("it was just written").items;
        let queue = |id: QueueId| peer.engine().queue(id).map_or("?".to_owned(), |queue| queue.name.to_string());
        let mut happened = vec![format!("record {number}")];
        happened.extend(items.iter().map(|item| format!("  {}", item_text(item, &queue))));
        peer.committed(number);
        happened
    }

    fn ask(&mut self, peer: &mut Peer, words: &Words) {
        self.token += 1;
        let token = self.token;
        if words.word(1) == "create" {
            let of = Policy::default();
            let policy = Policy {
                max_retries: words.given("retries").map_or(of.max_retries, |count| count as u32),
                delay_ms: words.given("delay").unwrap_or(of.delay_ms),
                visibility_ms: words.given("lease").unwrap_or(of.visibility_ms),
                capacity_messages: words.given("capacity").unwrap_or(of.capacity_messages),
                dead_letter_queue: words.named.get("letters").map(|name| (*name).into()),
                ..of
            };
            return peer.create(token, words.word(2), policy);
        }
        if words.word(1) == "bury" {
            let of = words.word(2);
            let number = self.names.iter().position(|known| known == of).expect("a peer's name") as u64 + 1;
            return peer.bury(token, number, None, true);
        }
        let queue = queue_of(peer, words);
        match words.word(1) {
            "send" => {
                let sizes = Sizes::alike(words.number(3) as u32, words.given("bytes").unwrap_or(10));
                let whole = if words.plain.contains(&"whole") { Whole::First } else { Whole::No };
                let key = words.named.get("key").map(|key| (*key).into());
                peer.send(
                    token,
                    SendOrder { queue, sizes, delay_ms: words.given("delay"), expires_ms: None, whole, more: 0, key },
                );
            }
            "receive" => {
                let wait = words.plain.contains(&"wait");
                peer.receive(token, queue, words.number(3) as u32, None, wait, self.wall());
            }
            "cancel" => peer.cancel(token, queue, words.id(3)),
            "purge" => peer.purge(token, queue),
            "pause" => peer.pause(token, queue, true),
            "resume" => peer.pause(token, queue, false),
            "redrive" => peer.redrive(token, queue, None, u64::MAX),
            verb => {
                let how = match verb {
                    "ack" => Settle::Ack,
                    "retry" => Settle::Retry { delay_ms: words.given("delay"), error: None },
                    "extend" => Settle::Extend { ms: words.given("ms").unwrap_or(30_000) },
                    "release" => Settle::Release,
                    "letter" => Settle::DeadLetter { reason: "told to".into() },
                    _ => panic!("{:?}: nobody knows {verb:?}", words.line),
                };
                peer.settle(token, queue, words.id(3), words.number(4) as u32, words.number(6), how);
            }
        }
    }
}

fn queue_of(peer: &Peer, words: &Words) -> QueueId {
    peer.engine().named(words.word(2)).unwrap_or_else(|| panic!("{:?}: there is no such queue", words.line))
}

/// Messages by the first and how many.
fn range(first: MessageId, count: u32) -> String {
    let (number, index) = (first.number(), first.index());
    if count == 1 { format!("{number}-{index}") } else { format!("{number}-{index} to {number}-{}", index + count - 1) }
}

fn at(time: Time) -> String {
    if time == NEVER { "for ever".into() } else { format!("until {}", time.saturating_sub(START)) }
}

fn item_text(item: &Item, queue: &dyn Fn(QueueId) -> String) -> String {
    match item {
        Item::Create { name, .. } => format!("create {name}"),
        Item::Adopt { queue: id, .. } => format!("give {} a policy", queue(*id)),
        Item::Remove { queue: id } => format!("remove {}", queue(*id)),
        Item::Send(send) => {
            let wait = if send.due == 0 { String::new() } else { format!(", not before {}", send.due - START) };
            let whole = if send.whole == Whole::No { "" } else { ", all or nothing" };
            format!("send {} to {}{wait}{whole}", send.sizes.count(), queue(send.queue))
        }
        Item::Lease { queue: id, first, count, until, started } => {
            let ahead = if *started { "" } else { " ahead of demand" };
            format!("lease {} of {} {}{ahead}", range(*first, *count), queue(*id), at(*until))
        }
        Item::Settle { queue: id, first, count, grant, how } => {
            let how = match how {
                How::Ack => "ack".into(),
                How::Retry { due: 0, .. } => "retry".into(),
                How::Retry { due, .. } => format!("retry from {} on", due - START),
                How::DeadLetter { reason } => format!("dead-letter ({reason})"),
                How::Extend { until } => format!("extend {}", at(*until)),
                How::Release => "release".into(),
                How::Start => "start".into(),
            };
            format!("{how}: {} of {}, leased by {grant}", range(*first, *count), queue(*id))
        }
        Item::Cancel { queue: id, id: message } => format!("cancel {} of {}", range(*message, 1), queue(*id)),
        Item::Purge { queue: id } => format!("purge {}", queue(*id)),
        Item::Pause { queue: id, paused: true } => format!("pause {}", queue(*id)),
        Item::Pause { queue: id, .. } => format!("resume {}", queue(*id)),
        Item::Redrive { queue: id, first, count, .. } => format!("redrive {} of {}", range(*first, *count), queue(*id)),
        Item::Leave { peer, counted, .. } => {
            format!("peer {peer} is gone{}", if *counted { ", an attempt each" } else { "" })
        }
    }
}

fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Sent { first, count, .. } => format!("-> sent {}", range(*first, *count)),
        Effect::Refused { why, count, .. } => format!("-> {count} refused: {why:?}"),
        Effect::Duplicate { id, .. } => format!("-> a duplicate of {}", range(*id, 1)),
        Effect::Delivered { first, count, grant, until, attempt, .. } => {
            format!("-> delivered {}, attempt {attempt}, leased by {grant} {}", range(*first, *count), at(*until))
        }
        Effect::Received { .. } => "-> the receive is over".into(),
        Effect::Lost { first, count, .. } => format!("-> void for {}", range(*first, *count)),
        Effect::Done { value, .. } => format!("-> done: {value}"),
        Effect::Dead { first, count, reason, .. } => {
            format!("-> event: dead letter {} ({reason})", range(*first, *count))
        }
        Effect::Dropped { first, count, cause, .. } => {
            format!("-> event: dropped {} ({})", range(*first, *count), cause_text(*cause))
        }
        Effect::Depth { backlog, .. } => format!("-> event: backlog {backlog}"),
        Effect::Gone { first, count } => format!("-> bodies gone {}", range(*first, *count)),
        Effect::LeaseLost { first, count, .. } => format!("-> event: lease lost {}", range(*first, *count)),
        Effect::QueueGone { .. } => "-> event: the queue is gone".into(),
    }
}

fn cause_text(cause: Cause) -> String {
    format!("{cause:?}").to_lowercase()
}

fn state(peer: &Peer, id: QueueId) -> String {
    let counts = peer.engine().queue(id).expect("it was just found").counts();
    format!(
        "{} ready, {} delayed, {} leased, {} leased ahead",
        counts.ready, counts.delayed, counts.leased, counts.ahead
    )
}
