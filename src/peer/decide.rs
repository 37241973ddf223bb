//! Deciding: everything pending becomes one record, looked up on the replica, which is not changed.

use super::{
    Effect, Peer, Random, Why,
    command::{Command, Order, SendOrder, Settle},
    draft::{Draft, Flight, Origin},
    prefetch::{Ahead, Held},
};
use crate::{
    engine::Queue,
    format::{Backoff, How, Item, Overflow, Record, Send, Whole},
    id::{MessageId, QueueId, Time},
    limits,
    share::{fitting, share},
    sorted::Sorted,
};

impl Peer {
    /// Makes one record of all that is pending. False: there is nothing to write now. Either way there may be effects.
    pub fn decide(&mut self, wall: Time) -> bool {
        debug_assert!(self.flight.is_none(), "one step at a time");
        let now = self.now(wall);
        self.serve_ahead(now);
        let mut draft = Draft::new(now);
        self.blocked = false;
        for command in core::mem::take(&mut self.pending) {
            self.place(command, &mut draft);
        }
        self.begin_with_ahead(now);
        self.place_leases(&mut draft);
        self.place_riders(&mut draft, false);
        let tick = self.engine.queues().any(|(_, queue)| queue.wants_tick(now));
        let starts_due = self.ahead.iter().any(|(_, ahead)| ahead.starts_due(now));
        if draft.items.is_empty() && !tick && !starts_due {
            return false;
        }
        self.place_riders(&mut draft, true);
        self.take_off(draft);
        true
    }

    fn take_off(&mut self, draft: Draft) {
        self.steps += 1;
        let chunk = draft.chunk();
        let Draft { now, items, origins, sends, demands, .. } = draft;
        let record = Record { time: now, base: self.engine.base(), writer: self.id, step: self.steps, chunk, items };
        let bytes = if self.memory { Vec::new() } else { record.encode() };
        self.flight = Some(Flight { record, bytes, origins, sends, demands });
    }

    /// The bytes of the record under way.
    pub fn record(&self) -> &[u8] {
        self.flight.as_ref().map_or(&[], |flight| &flight.bytes)
    }

    /// Where its bodies go.
    pub fn chunk(&self) -> Option<u8> {
        self.flight.as_ref().and_then(|flight| flight.record.chunk)
    }

    /// Whose bodies they are, in their order: the next `count` of each token.
    pub fn sends(&self) -> &[(u32, u32)] {
        self.flight.as_ref().map_or(&[], |flight| &flight.sends)
    }

    fn place(&mut self, command: Command, draft: &mut Draft) {
        if draft.is_full() {
            return self.pending.push(command);
        }
        let item = match &command.order {
            Order::Create { name, policy } => Item::Create { name: name.clone(), policy: policy.clone() },
            Order::Remove { queue } => Item::Remove { queue: *queue },
            Order::Purge { queue } => Item::Purge { queue: *queue },
            Order::Pause { queue, paused } => Item::Pause { queue: *queue, paused: *paused },
            Order::Leave { peer, .. } if !self.engine.holders().contains(peer) => {
                return self.effects.push(Effect::Done { token: command.token, value: 0 });
            }
            Order::Leave { peer, counted } => Item::Leave { peer: *peer, counted: *counted },
            Order::Cancel { queue, id } => Item::Cancel { queue: *queue, id: *id },
            Order::Send(_) => return self.place_send(command, draft),
            Order::Settle { .. } => return self.place_settle(command, draft),
            Order::Redrive { .. } => return self.place_redrive(command, draft),
        };
        draft.push(item, Origin::Command(command));
    }

    fn place_send(&mut self, mut command: Command, draft: &mut Draft) {
        let Order::Send(send) = &mut command.order else {
            return;
        };
        let (token, queue_id) = (command.token, send.queue);
        let Some(queue) = self.engine.queue(queue_id) else {
            return self.effects.push(Effect::Refused { token, why: Why::NoQueue, count: send.count });
        };
        let whole = send.whole;
        let (largest, bytes) = match whole {
            Whole::No => (1, send.bytes / u64::from(send.count)),
            Whole::Part => (send.count, send.bytes),
            Whole::First { more, bytes } => (send.count.saturating_add(more), send.bytes.saturating_add(bytes)),
        };
        // The parts of a batch share the fate of its first, which the record decides, or this. Without it they have none.
        let more = match whole {
            Whole::Part => draft.more.checked_sub(send.count),
            Whole::First { more, .. } if queue.fits(largest, bytes) => Some(more),
            _ => queue.fits(largest, bytes).then_some(0),
        };
        draft.more = more.unwrap_or(0);
        if more.is_none() {
            return self.effects.push(Effect::Refused { token, why: Why::TooLarge, count: send.count });
        }
        if draft.full.contains(&queue_id) {
            return self.pending.push(command);
        }
        let mut count = fits_record(send, draft);
        let record_full = count == 0;
        if queue.policy.overflow == Overflow::Wait && whole != Whole::Part {
            let (_, messages, more) = *draft.added(queue_id);
            count = match whole {
                Whole::No => queue.room(count, bytes_of(send, count), messages, more),
                _ if queue.room(largest, bytes, messages, more) < largest => 0,
                _ => count,
            };
        }
        if count < send.count {
            draft.full.push(queue_id);
            self.blocked |= !record_full;
        }
        if count == 0 {
            return self.pending.push(command);
        }
        let part = cut_send(send, count);
        let item = Item::Send(sending(queue, &part, draft.now));
        let added = draft.added(queue_id);
        (added.1, added.2) = (added.1 + u64::from(count), added.2 + part.bytes);
        draft.messages += count;
        draft.bytes += part.bytes;
        draft.sends.push((token, count));
        if send.count > 0 {
            self.pending.push(command);
        }
        draft.push(item, Origin::Command(Command { token, order: Order::Send(part) }));
    }

    fn place_settle(&mut self, command: Command, draft: &mut Draft) {
        let Order::Settle { queue, first, count, grant, how } = &command.order else {
            return;
        };
        let (queue, first, count, grant, now) = (*queue, *first, *count, *grant, draft.now);
        let held = self.engine.queue(queue).and_then(|queue| {
            let (_, run) = queue.find(first)?;
            run.is_leased_by(grant).then_some((&queue.policy.backoff, run.attempts))
        });
        // A range of many messages may be lost in part: that is the record's business.
        if held.is_none() && count == 1 {
            let token = command.token;
            self.effects.push(Effect::Lost { token, first, count });
            return self.effects.push(Effect::Done { token, value: 0 });
        }
        let how = match how {
            Settle::Ack => How::Ack,
            Settle::Release => How::Release,
            Settle::Extend { ms } => How::Extend { until: now.saturating_add(*ms) },
            Settle::DeadLetter { reason } => How::DeadLetter { reason: reason.clone() },
            Settle::Retry { delay_ms, error } => {
                let delay = match (*delay_ms, held) {
                    (Some(ms), _) => ms,
                    (None, Some((backoff, attempts))) => wait(backoff, attempts, &mut self.random),
                    (None, None) => 0,
                };
                let due = if delay == 0 { 0 } else { now.saturating_add(delay) };
                How::Retry { due, error: error.clone() }
            }
        };
        draft.push(Item::Settle { queue, first, count, grant, how }, Origin::Command(command));
    }

    fn place_redrive(&mut self, command: Command, draft: &mut Draft) {
        let Order::Redrive { queue, to, max, moved } = &command.order else {
            return;
        };
        let (token, to, moved) = (command.token, *to, *moved);
        let own = self.engine.queue(*queue).map(|source| source.dead_letters(None, *max));
        let (from, mut letters) = match own {
            Some(letters) if !letters.is_empty() => (*queue, letters),
            _ => {
                let name = self.engine.queue(*queue).and_then(|source| source.policy.dead_letter_queue.as_deref());
                let from = name.and_then(|name| self.engine.named(name));
                let letters = from.and_then(|from| self.engine.queue(from));
                let letters = letters.map(|letters| letters.dead_letters(Some(*queue), *max));
                (from.unwrap_or(*queue), letters.unwrap_or_default())
            }
        };
        letters.truncate(limits::DRAFT_ITEMS_MAX.saturating_sub(draft.items.len()));
        let mut left = letters.len();
        if left == 0 {
            return self.effects.push(Effect::Done { token, value: moved });
        }
        let mut command = Some(command);
        for (first, count) in letters {
            left -= 1;
            let last = if left == 0 { command.take() } else { None };
            draft.push(Item::Redrive { queue: from, first, count, to }, Origin::Redrive(last));
        }
    }

    fn place_leases(&mut self, draft: &mut Draft) {
        if self.hidden {
            return;
        }
        for demand in &self.demands {
            self.ahead.get_or_insert(demand.queue, Ahead::default());
        }
        let queues: Vec<_> = self.ahead.iter().map(|(queue, _)| *queue).collect();
        for queue in queues {
            self.place_leases_of(queue, draft);
        }
        let mut at = 0;
        while let Some(demand) = self.demands.get(at) {
            let asked = draft.demands.iter().any(|placed| placed.token == demand.token);
            if !asked && demand.wait {
                at += 1;
                continue;
            }
            let token = self.demands.remove(at).token;
            if !asked {
                self.effects.push(Effect::Received { token });
            }
        }
    }

    fn place_leases_of(&mut self, queue_id: QueueId, draft: &mut Draft) {
        let now = draft.now;
        let (Some(queue), Some(ahead)) = (self.engine.queue(queue_id), self.ahead.get_mut(queue_id)) else {
            return;
        };
        let mut wanted = 0;
        for demand in &self.demands {
            wanted += if demand.queue == queue_id { u64::from(demand.max) } else { 0 };
        }
        let mut more = 0;
        if wanted > 0 || !draft.items.is_empty() {
            more = ahead.wanted(queue.counts_at(now).ready.saturating_sub(wanted), now);
        }
        // The oldest is taken off first.
        let mut picked = queue.pick(now, wanted + u64::from(more));
        picked.reverse();
        for demand in &self.demands {
            let until = now.saturating_add(demand.lease_ms.unwrap_or(queue.policy.visibility_ms).max(1));
            if demand.queue == queue_id && draft.lease(queue_id, &mut picked, demand.max, until, Some(demand.token)) {
                draft.demands.push(demand.clone());
                // What is left there is too old to be handed out, and goes back as if nobody had come.
                if ahead.count() == 0 {
                    ahead.ask(demand.max, demand.lease_ms, now);
                }
            }
        }
        let until = now.saturating_add(queue.policy.visibility_ms).saturating_add(limits::PREFETCH_IDLE_MS * 2);
        draft.lease(queue_id, &mut picked, more, until, None);
    }

    /// What was leased ahead and goes back; `start`: hand-outs of it, which ride with any step.
    fn place_riders(&mut self, draft: &mut Draft, start: bool) {
        let mut room = limits::RIDERS_MAX;
        for (queue, ahead) in self.ahead.iter_mut() {
            let runs = if start { ahead.give_started(&mut room) } else { ahead.give_back(draft.now, &mut room) };
            for held in runs {
                let (queue, how) = (*queue, if start { How::Start } else { How::Release });
                let Held { first, count, grant, .. } = held;
                draft.push(Item::Settle { queue, first, count, grant, how }, Origin::Rider { queue, held, start });
            }
        }
    }

    /// A record by which this peer gives back all it holds as if it had never been taken, to be written at once, beside the
    /// step under way if there is one; empty: it holds nothing. It leases nothing from now on, until it is shown under another
    /// name.
    pub fn parting(&mut self, wall: Time) -> Vec<u8> {
        let time = self.now(wall);
        self.hidden = true;
        self.ahead = Sorted::default();
        if self.flight.is_none() && !self.engine.holders().contains(&self.id) {
            return Vec::new();
        }
        let items = vec![Item::Leave { peer: self.id, counted: false }];
        let record = Record { time, base: self.engine.base(), writer: self.id, step: 0, chunk: None, items };
        record.encode()
    }

    /// What was leased ahead goes back with the next step.
    pub fn release_idle(&mut self) {
        for (_, ahead) in self.ahead.iter_mut() {
            ahead.give_back_all();
        }
    }
}

impl Draft {
    /// Leases up to `max` of the picked messages, to a receive or ahead of demand; false: there were none.
    fn lease(
        &mut self,
        queue: QueueId,
        picked: &mut Vec<(MessageId, u32)>,
        max: u32,
        until: Time,
        demand: Option<u32>,
    ) -> bool {
        let mut left = max;
        while left > 0 && !self.is_full() {
            let Some((first, count)) = picked.pop() else {
                break;
            };
            let taken = count.min(left);
            if taken < count {
                picked.push((first.plus(taken), count - taken));
            }
            left -= taken;
            let item = Item::Lease { queue, first, count: taken, until, started: demand.is_some() };
            self.push(item, demand.map_or(Origin::Ahead(queue), Origin::Demand));
        }
        left < max
    }
}

/// The wait before the retry of a message that had `attempts` deliveries before this one.
fn wait(backoff: &Backoff, attempts: u32, random: &mut Random) -> u64 {
    let mut wait = backoff.base_ms;
    for _ in 0..attempts.min(64) {
        wait = share(wait, backoff.factor.into(), 1000).min(backoff.max_ms);
    }
    wait = wait.min(backoff.max_ms);
    let spread = share(wait, backoff.jitter.into(), 1000);
    let off = share(spread.saturating_mul(2), random.thousandths(), 999);
    wait.saturating_sub(spread).saturating_add(off)
}

/// How many messages of a send this record still takes.
fn fits_record(send: &SendOrder, draft: &Draft) -> u32 {
    let (count, bytes) = match send.whole {
        Whole::Part => return send.count,
        Whole::First { more, bytes } => (send.count.saturating_add(more), send.bytes.saturating_add(bytes)),
        Whole::No => (send.count, send.bytes),
    };
    let whole = send.whole != Whole::No;
    if draft.messages == 0 && (whole || send.count == 1) {
        return send.count;
    }
    let by_count = limits::RECORD_MESSAGES_MAX.saturating_sub(draft.messages).min(count);
    let free = limits::RECORD_BYTES_MAX.saturating_sub(draft.bytes);
    let fit = by_count.min(fitting(count, bytes, free));
    match (whole, draft.messages) {
        (true, _) if fit < count => 0,
        (true, _) => send.count,
        // One message always goes, however large.
        (false, 0) => fit.max(1),
        _ => fit,
    }
}

/// The bytes of `count` messages of a send.
pub(super) fn bytes_of(send: &SendOrder, count: u32) -> u64 {
    share(send.bytes, count.into(), send.count.max(1).into())
}

/// Takes the first `count` messages off a send.
fn cut_send(send: &mut SendOrder, count: u32) -> SendOrder {
    let bytes = bytes_of(send, count);
    let part = SendOrder { count, bytes, key: send.key.clone(), ..*send };
    send.count -= count;
    send.bytes -= bytes;
    part
}

fn sending(queue: &Queue, send: &SendOrder, now: Time) -> Send {
    let delay = send.delay_ms.unwrap_or(queue.policy.delay_ms);
    Send {
        queue: send.queue,
        count: send.count,
        bytes: send.bytes,
        due: if delay == 0 { 0 } else { now.saturating_add(delay) },
        expires: send.expires_ms.map_or(0, |ms| now.saturating_add(ms)),
        whole: send.whole,
        key: send.key.clone(),
    }
}
