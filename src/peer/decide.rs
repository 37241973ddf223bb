//! Deciding: everything pending becomes one record, looked up on the replica, which is not changed.

use super::{
    Effect, Peer, Why,
    command::{Command, Order, SendOrder, Settle},
    draft::{Draft, Flight, Origin},
    prefetch::Held,
};
use crate::{
    engine::{Queue, State},
    format::{How, Item, Overflow, Policy, Record, Send, Whole},
    id::Time,
    limits,
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
        self.place_given_back(&mut draft);
        let tick = self.engine.queues().any(|(_, queue)| queue.wants_tick(now));
        let starts_due = self.ahead.values().any(|ahead| ahead.starts_due(now));
        if draft.items.is_empty() && !tick && !starts_due {
            return false;
        }
        self.place_starts(&mut draft);
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
            return self.pending.push_back(command);
        }
        match &command.order {
            Order::Create { name, policy } => {
                let item = Item::Create { name: name.clone(), policy: policy.clone() };
                draft.push(item, Origin::Command(command));
            }
            Order::Remove { queue } => draft.push(Item::Remove { queue: *queue }, Origin::Command(command)),
            Order::Purge { queue } => draft.push(Item::Purge { queue: *queue }, Origin::Command(command)),
            Order::Pause { queue, paused } => {
                draft.push(Item::Pause { queue: *queue, paused: *paused }, Origin::Command(command));
            }
            Order::Send(_) => self.place_send(command, draft),
            Order::Settle { .. } => self.place_settle(command, draft),
            Order::Cancel { queue, id } => {
                draft.push(Item::Cancel { queue: *queue, id: *id }, Origin::Command(command))
            }
            Order::Redrive { .. } => self.place_redrive(command, draft),
        }
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
        // The parts of a batch share the fate of its first, which the record decides, or this.
        if whole != Whole::Part {
            draft.torn = !queue.fits(largest, bytes);
        }
        if draft.torn {
            return self.effects.push(Effect::Refused { token, why: Why::TooLarge, count: send.count });
        }
        if draft.full.contains(&queue_id) {
            return self.pending.push_back(command);
        }
        let mut count = fits_record(send, draft);
        let record_full = count == 0;
        if queue.policy.overflow == Overflow::Wait && whole != Whole::Part {
            let (_, messages, more) = *draft.added(queue_id);
            count = match whole {
                Whole::No => queue.room(count, share(send, count), messages, more),
                _ if queue.room(largest, bytes, messages, more) < largest => 0,
                _ => count,
            };
        }
        if count < send.count {
            draft.full.push(queue_id);
            self.blocked |= !record_full;
        }
        if count == 0 {
            return self.pending.push_back(command);
        }
        let part = cut_send(send, count);
        let item = Item::Send(sending(queue, &part, draft.now));
        let added = draft.added(queue_id);
        (added.1, added.2) = (added.1 + u64::from(count), added.2 + part.bytes);
        draft.messages += count;
        draft.bytes += part.bytes;
        draft.sends.push((token, count));
        if send.count > 0 {
            self.pending.push_back(command);
        }
        draft.push(item, Origin::Command(Command { token, order: Order::Send(part) }));
    }

    fn place_settle(&mut self, command: Command, draft: &mut Draft) {
        let Order::Settle { queue, first, count, grant, how } = &command.order else {
            return;
        };
        let (token, first, count, now) = (command.token, *first, *count, draft.now);
        let held = self.engine.queue(*queue).and_then(|queue| {
            let (_, run) = queue.find(first)?;
            matches!(run.state, State::Leased { grant: current, .. } if current == *grant)
                .then(|| (queue, run.attempts))
        });
        // A range of many messages may be lost in part: that is the record's business.
        let Some((policy, attempts)) = held.map(|(queue, attempts)| (queue.policy.clone(), attempts)) else {
            if count > 1 {
                let how = self.how(how, None, 0, now);
                let item = Item::Settle { queue: *queue, first, count, grant: *grant, how };
                return draft.push(item, Origin::Command(command));
            }
            self.effects.push(Effect::Lost { token, first, count });
            return self.effects.push(Effect::Done { token, value: 0 });
        };
        let how = how.clone();
        let how = self.how(&how, Some(&policy), attempts, now);
        let item = Item::Settle { queue: *queue, first, count, grant: *grant, how };
        draft.push(item, Origin::Command(command));
    }

    fn how(&mut self, settle: &Settle, policy: Option<&Policy>, attempts: u32, now: Time) -> How {
        match settle {
            Settle::Ack => How::Ack,
            Settle::Release => How::Release,
            Settle::Extend { ms } => How::Extend { until: now.saturating_add(*ms) },
            Settle::DeadLetter { reason } => How::DeadLetter { reason: reason.clone() },
            Settle::Retry { delay_ms, error } => {
                let delay = delay_ms.unwrap_or_else(|| policy.map_or(0, |policy| self.backoff(policy, attempts)));
                let due = if delay == 0 { 0 } else { now.saturating_add(delay) };
                How::Retry { due, error: error.clone() }
            }
        }
    }

    /// The wait before the retry of a message that had `attempts` deliveries before this one.
    fn backoff(&mut self, policy: &Policy, attempts: u32) -> u64 {
        let backoff = &policy.backoff;
        let mut wait = backoff.base_ms;
        for _ in 0..attempts.min(64) {
            wait = (u128::from(wait) * u128::from(backoff.factor) / 1000).min(u128::from(backoff.max_ms)) as u64;
        }
        wait = wait.min(backoff.max_ms);
        let spread = u128::from(wait) * u128::from(backoff.jitter) / 1000;
        let off = (spread * 2 * u128::from(self.random.thousandths()) / 999) as u64;
        (wait - spread as u64).saturating_add(off)
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
        let last = letters.len();
        if last == 0 {
            return self.effects.push(Effect::Done { token, value: moved });
        }
        for (at, (first, count)) in letters.into_iter().enumerate() {
            let origin = Origin::Redrive((at + 1 == last).then(|| command.clone()));
            draft.push(Item::Redrive { queue: from, first, count, to }, origin);
        }
    }

    fn place_leases(&mut self, draft: &mut Draft) {
        let mut queues: Vec<_> = self.demands.iter().map(|demand| demand.queue).collect();
        queues.extend(self.ahead.keys());
        queues.sort_unstable();
        queues.dedup();
        for queue in queues {
            self.place_leases_of(queue, draft);
        }
        let Self { demands, effects, .. } = self;
        demands.retain(|demand| {
            let asked = draft.demands.iter().any(|placed| placed.token == demand.token);
            if !asked && !demand.wait {
                effects.push(Effect::Received { token: demand.token });
            }
            !asked && demand.wait
        });
    }

    fn place_leases_of(&mut self, queue_id: u32, draft: &mut Draft) {
        let now = draft.now;
        let Some(queue) = self.engine.queue(queue_id) else {
            return;
        };
        let demands = self.demands.iter().filter(|demand| demand.queue == queue_id);
        let wanted: u64 = demands.clone().map(|demand| u64::from(demand.max)).sum();
        let more = if wanted > 0 || !draft.items.is_empty() {
            let ready = queue.counts_at(now).ready.saturating_sub(wanted);
            self.ahead.get(&queue_id).map_or(0, |ahead| ahead.wanted(ready))
        } else {
            0
        };
        let mut picked = queue.pick(now, wanted + u64::from(more)).into_iter();
        let mut rest = None;
        let mut lease = |max: u32, until, started, origin: Origin, draft: &mut Draft| {
            let mut left = max;
            while left > 0 && !draft.is_full() {
                let Some((first, count)) = rest.take().or_else(|| picked.next()) else {
                    break;
                };
                let taken = count.min(left);
                if taken < count {
                    rest = Some((first.plus(taken), count - taken));
                }
                left -= taken;
                let item = Item::Lease { queue: queue_id, first, count: taken, until, started };
                draft.push(item, origin.clone());
            }
            left < max
        };
        for demand in demands {
            let until = now.saturating_add(demand.lease_ms.unwrap_or(queue.policy.visibility_ms).max(1));
            if lease(demand.max, until, true, Origin::Demand(demand.token), draft) {
                draft.demands.push(demand.clone());
                self.ahead.entry(queue_id).or_default().ask(demand.max, now);
            }
        }
        if more > 0 {
            let until = now.saturating_add(queue.policy.visibility_ms).saturating_add(limits::PREFETCH_IDLE_MS * 2);
            lease(more, until, false, Origin::Ahead(queue_id), draft);
        }
    }

    fn place_given_back(&mut self, draft: &mut Draft) {
        let mut room = limits::RIDERS_MAX;
        for (&queue, ahead) in &mut self.ahead {
            let riding = ahead.give_back(draft.now, room);
            room -= riding.len();
            for Held { first, count, grant, .. } in riding {
                draft.push(Item::Settle { queue, first, count, grant, how: How::Release }, Origin::GiveBack);
            }
        }
    }

    /// Hand-outs from what was leased ahead ride with any step.
    fn place_starts(&mut self, draft: &mut Draft) {
        let mut room = limits::RIDERS_MAX;
        for (&queue, ahead) in &mut self.ahead {
            let riding = ahead.started.len().min(room);
            room -= riding;
            for held in ahead.started.drain(..riding) {
                let Held { first, count, grant, .. } = held;
                let item = Item::Settle { queue, first, count, grant, how: How::Start };
                draft.push(item, Origin::Start(queue, held));
            }
        }
    }

    /// What was leased ahead goes back with the next step.
    pub fn release_idle(&mut self) {
        for ahead in self.ahead.values_mut() {
            ahead.give_back_all();
        }
    }
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
    let by_bytes =
        if bytes <= free { count } else { (u128::from(free) * u128::from(count) / u128::from(bytes)) as u32 };
    let fitting = by_count.min(by_bytes);
    match (whole, draft.messages) {
        (true, _) if fitting < count => 0,
        (true, _) => send.count,
        // One message always goes, however large.
        (false, 0) => fitting.max(1),
        _ => fitting,
    }
}

fn share(send: &SendOrder, count: u32) -> u64 {
    (u128::from(send.bytes) * u128::from(count) / u128::from(send.count.max(1))) as u64
}

/// Takes the first `count` messages off a send.
fn cut_send(send: &mut SendOrder, count: u32) -> SendOrder {
    let bytes = share(send, count);
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
