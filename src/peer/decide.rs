//! Deciding: everything pending becomes one record, looked up on the replica, which is not changed.

use std::collections::VecDeque;

use super::{
    Effect, Peer, Random, Why,
    command::{Command, Order, SendOrder, Settle},
    demands::Demand,
    draft::{Draft, Flight, Origin},
    prefetch::{Ahead, Held},
};
use crate::{
    engine::{Needs, Pick, Queue},
    format::{Backoff, How, Item, Overflow, Record, Send, Whole},
    id::{QueueId, Time},
    limits,
    share::share,
    sorted::Sorted,
};

impl Peer {
    /// Makes one record of all that is pending. False: there is nothing to write now. Either way there may be effects.
    pub fn decide(&mut self, wall: Time) -> bool {
        debug_assert!(self.flight.is_none(), "one step at a time");
        let now = self.now(wall);
        let due: Vec<_> = self.engine.due(now).map(|(queue, _)| queue).collect();
        for queue in due {
            self.look(queue);
        }
        let mut draft = Draft::new(now);
        self.blocked = false;
        let mut commands = core::mem::take(&mut self.pending).into_iter().peekable();
        while let Some(command) = commands.next() {
            if command.messages(Whole::First).is_none() {
                self.place(command, &mut draft);
                continue;
            }
            let mut more = command.more();
            let mut batch = vec![command];
            let part = |command: &Command, more| command.messages(Whole::Part).filter(|count| *count <= more);
            while let Some(next) = commands.next_if(|command| part(command, more).is_some()) {
                more -= next.messages(Whole::Part).unwrap_or(0);
                batch.push(next);
            }
            self.place_batch(batch, more == 0, &mut draft);
        }
        let before = draft.items.len();
        self.place_leases(&mut draft);
        self.place_riders(&mut draft, false);
        let tick = self.engine.due(now).any(|(_, queue)| queue.wants_tick(now));
        let starts_due = self.ahead.iter().any(|(_, ahead)| ahead.starts_due(now));
        if draft.items.is_empty() && !tick && !starts_due {
            return false;
        }
        // What was handed out may have lapsed before that could be told: it counts before the message is leased anew.
        let rest = draft.items.len();
        self.place_riders(&mut draft, true);
        draft.bring_forward(before, rest);
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
            Order::Adopt { queue, policy } => Item::Adopt { queue: *queue, policy: policy.clone() },
            Order::Remove { queue } => Item::Remove { queue: *queue },
            Order::Purge { queue } => Item::Purge { queue: *queue },
            Order::Pause { queue, paused } => Item::Pause { queue: *queue, paused: *paused },
            Order::Leave { peer, .. } if !self.engine.holders().contains(peer) => {
                return self.effects.push(Effect::Done { token: command.token, value: 0 });
            }
            Order::Leave { peer, queue, counted } => Item::Leave { peer: *peer, queue: *queue, counted: *counted },
            Order::Cancel { .. } => return self.place_cancel(command, draft),
            Order::Send(_) => return self.place_send(command, draft),
            Order::Settle { .. } => return self.place_settle(command, draft),
            Order::Redrive { .. } => return self.place_redrive(command, draft),
        };
        draft.push(item, Origin::Command(command));
    }

    /// A send that is no part of a batch: as many of its messages as fit.
    fn place_send(&mut self, command: Command, draft: &mut Draft) {
        let Command { token, order: Order::Send(mut send) } = command else {
            return;
        };
        let Some(queue) = self.engine.queue(send.queue) else {
            return self.refuse(token, Why::NoQueue, &send);
        };
        if send.whole == Whole::Part {
            // The batch was called off that it was of.
            return self.refuse(token, Why::Withdrawn, &send);
        }
        let known = send.key.as_ref().is_some_and(|key| queue.keys.get(key, draft.now).is_some());
        let drafted = draft.queue(send.queue).clone();
        let mut count = fits_record(&send, draft);
        // Whose key is known needs no room.
        if !known {
            let capacity = queue.policy.capacity_bytes;
            // What came before it is answered first.
            let over = if drafted.full { 0 } else { send.sizes.leading(true, capacity, send.sizes.count()) };
            if over > 0 {
                send.sizes.split_front(over);
                self.effects.push(Effect::Refused { token, why: Why::TooLarge, count: over });
            }
            count = if drafted.full { 0 } else { send.sizes.leading(false, capacity, count) };
        }
        if send.sizes.count() == 0 {
            return;
        }
        let record_full = count == 0;
        if queue.policy.overflow == Overflow::Wait && !known {
            count = count.min(queue.room(&send.sizes, drafted.added));
        }
        if count < send.sizes.count() {
            draft.queue(send.queue).full = true;
            self.blocked |= !record_full;
        }
        if count > 0 {
            let part = cut_send(&mut send, count);
            let added = if known { (0, 0) } else { (u64::from(count), part.sizes.total()) };
            put_send(queue, token, part, added, draft);
        }
        if send.sizes.count() > 0 {
            self.pending.push(Command { token, order: Order::Send(send) });
        }
    }

    pub(super) fn refuse(&mut self, token: u32, why: Why, send: &SendOrder) {
        self.effects.push(Effect::Refused { token, why, count: send.sizes.count() });
    }

    /// All sends of a batch, with the first in front: they go together, or not yet. `complete`: none was called off.
    fn place_batch(&mut self, batch: Vec<Command>, complete: bool, draft: &mut Draft) {
        let (mut needs, mut messages, mut bytes, mut id) = (Needs::default(), 0, 0, 0);
        for command in &batch {
            let Order::Send(send) = &command.order else { continue };
            id = send.queue;
            messages += u64::from(send.sizes.count());
            bytes = u64::saturating_add(bytes, send.sizes.total() + key_bytes(send));
            if let Some(queue) = self.engine.queue(id) {
                needs.add(queue, &send.sizes, send.key.as_deref(), draft.now);
            }
        }
        let queue = self.engine.queue(id);
        let too_large = messages > limits::BATCH_MESSAGES_MAX.into() || batch.len() > limits::DRAFT_ITEMS_MAX;
        let why = match queue {
            None => Some(Why::NoQueue),
            Some(_) if !complete => Some(Why::Withdrawn),
            Some(queue) if too_large || !queue.fits(&needs) => Some(Why::TooLarge),
            _ => None,
        };
        let (Some(queue), None) = (queue, why) else {
            for Command { token, order } in &batch {
                if let Order::Send(send) = order {
                    self.refuse(*token, why.unwrap_or(Why::NoQueue), send);
                }
            }
            return;
        };
        let drafted = draft.queue(id).clone();
        let alone = draft.messages == 0;
        let small = u64::from(draft.messages) + messages <= limits::RECORD_MESSAGES_MAX.into()
            && draft.bytes.saturating_add(bytes) <= limits::RECORD_BYTES_MAX;
        let in_turn = draft.takes(batch.len()) && (alone || small) && (!drafted.full || needs.messages == 0);
        let room = queue.policy.overflow != Overflow::Wait || queue.has_room(&needs, drafted.added);
        if !in_turn || !room {
            draft.queue(id).full = true;
            self.blocked |= in_turn;
            return self.pending.extend(batch);
        }
        let mut added = (needs.messages, needs.bytes);
        for Command { token, order } in batch {
            if let Order::Send(send) = order {
                put_send(queue, token, send, core::mem::take(&mut added), draft);
            }
        }
    }

    fn place_settle(&mut self, command: Command, draft: &mut Draft) {
        let Order::Settle { queue, first, count, grant, how } = &command.order else {
            return;
        };
        let (queue, first, count, grant, now) = (*queue, *first, *count, *grant, draft.now);
        let held = self.engine.queue(queue).and_then(|queue| {
            let (_, run) = queue.find(first)?;
            if run.is_lapsed(now) && run.answers_to(grant) {
                draft.say(first, count);
            }
            run.answers_to(grant).then_some((&queue.policy.backoff, run.attempts))
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
        let (mut from, mut letters) = (*queue, self.letters(*queue, None, *max));
        if letters.is_empty() {
            let name = self.engine.queue(*queue).and_then(|source| source.policy.dead_letter_queue.as_deref());
            from = name.and_then(|name| self.engine.named(name)).unwrap_or(*queue);
            letters = self.letters(from, Some(*queue), *max);
        }
        letters.truncate(limits::DRAFT_ITEMS_MAX.saturating_sub(draft.items.len()));
        let mut left = letters.len();
        if left == 0 {
            return self.effects.push(Effect::Done { token, value: moved });
        }
        let mut command = Some(command);
        for (first, count) in letters {
            left -= 1;
            let last = if left == 0 { command.take() } else { None };
            if let Some(held) = self.ahead.get_mut(from).and_then(|ahead| ahead.take(first, count)) {
                draft.ride(from, held, false);
            }
            draft.push(Item::Redrive { queue: from, first, count, to }, Origin::Redrive(last));
        }
    }

    fn place_leases(&mut self, draft: &mut Draft) {
        if self.hidden {
            return;
        }
        let mut queues = self.demands.due();
        queues.extend(self.ahead.iter().map(|(queue, _)| *queue));
        queues.sort_unstable();
        queues.dedup();
        for queue in queues {
            self.serve_ahead(queue, draft.now);
            let (demands, hasty) = self.demands.take(queue);
            let left = self.place_leases_of(queue, demands, hasty, draft);
            self.demands.give(queue, left);
        }
        self.ahead.retain(|ahead| !ahead.is_idle(draft.now));
    }

    /// Leases what there is in a queue to these receives, and some ahead. Those that wait on come back. `hasty`: some do not.
    fn place_leases_of(
        &mut self,
        id: QueueId,
        mut demands: VecDeque<Demand>,
        hasty: bool,
        draft: &mut Draft,
    ) -> VecDeque<Demand> {
        let now = draft.now;
        let mut left = Vec::new();
        let hasty = self.begin_with_ahead(id, &mut demands, now) || hasty;
        let Some(queue) = self.engine.queue(id) else {
            demands.retain(|demand| demand.wait || self.answer_demand(demand));
            return demands;
        };
        // What is left there does not do for who comes next: too old, or not the oldest. It is leased anew, each in its turn.
        let back = if demands.is_empty() { Vec::new() } else { take_ahead(&mut self.ahead, id, queue, now, draft) };
        let ready = queue.counts_at(now).ready + back.iter().map(|pick| u64::from(pick.count)).sum::<u64>();
        let mut wanted = 0;
        for demand in demands.iter().take_while(|_| ready > 0) {
            wanted += u64::from(demand.max);
            if wanted >= ready {
                break;
            }
        }
        let mut more = 0;
        if wanted > 0 || !draft.items.is_empty() {
            more = self.ahead.get(id).map_or(0, |ahead| ahead.wanted(ready.saturating_sub(wanted), now));
        }
        // The oldest is taken off first.
        let mut picked = queue.pick(now, wanted + u64::from(more), &draft.said);
        picked.extend(back);
        picked.sort_unstable_by_key(|pick| core::cmp::Reverse(pick.first));
        let visibility_ms = queue.policy.visibility_ms;
        while let Some(demand) = demands.pop_front() {
            if !hasty && (picked.is_empty() || draft.is_full()) {
                // The others wait, however many they are.
                demands.push_front(demand);
                break;
            }
            let until = now.saturating_add(demand.lease_ms.unwrap_or(visibility_ms).max(1));
            if draft.lease(id, &mut picked, demand.max, until, Some(demand.token)) {
                self.demands.over(&demand);
                let ahead = self.ahead.get_or_insert(id, Ahead::default());
                ahead.ask(demand.max, demand.lease_ms, now);
                draft.demands.push(demand);
            } else if demand.wait {
                left.push(demand);
            } else {
                self.answer_demand(&demand);
            }
        }
        for demand in left.into_iter().rev() {
            demands.push_front(demand);
        }
        if !picked.is_empty() && !demands.is_empty() {
            // The record is full: the next one has room.
            self.demands.look_again(id);
        }
        let until = now.saturating_add(visibility_ms).saturating_add(limits::PREFETCH_IDLE_MS * 2);
        // What lapsed is not leased ahead, nor what expires before, which is to do so while it waits here, too; nor is anything
        // younger: it would be handed out first, for as long as more comes.
        if let Some(oldest) = picked.iter().rposition(|pick| pick.lapsed || pick.expires <= until) {
            picked.drain(..=oldest);
        }
        draft.lease(id, &mut picked, more, until, None);
        demands
    }

    /// A receive has all it gets; false: it is over.
    fn answer_demand(&mut self, demand: &Demand) -> bool {
        self.demands.over(demand);
        self.effects.push(Effect::Received { token: demand.token });
        false
    }

    /// What was leased ahead and goes back; `start`: hand-outs of it, which ride with any step.
    fn place_riders(&mut self, draft: &mut Draft, start: bool) {
        let mut room = limits::RIDERS_MAX;
        for (queue, ahead) in self.ahead.iter_mut() {
            let runs = if start { ahead.give_started(&mut room) } else { ahead.give_back(draft.now, &mut room) };
            for held in runs {
                draft.ride(*queue, held, start);
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
        let items = vec![Item::Leave { peer: self.id, queue: None, counted: false }];
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
    /// Tells of what was leased ahead that it goes back, or was handed out.
    pub(super) fn ride(&mut self, queue: QueueId, held: Held, start: bool) {
        let Held { first, count, grant, .. } = held;
        let how = if start { How::Start } else { How::Release };
        self.push(Item::Settle { queue, first, count, grant, how }, Origin::Rider { queue, held, start });
    }

    /// Leases up to `max` of the picked messages, to a receive or ahead of demand; false: there were none. What is spent on
    /// the way goes to the dead letters, as it would be leased next.
    fn lease(&mut self, queue: QueueId, picked: &mut Vec<Pick>, max: u32, until: Time, demand: Option<u32>) -> bool {
        let mut left = max;
        while left > 0 && !self.is_full() {
            let Some(pick @ Pick { first, count, spent, .. }) = picked.pop() else {
                break;
            };
            let taken = if spent { count } else { count.min(left) };
            if taken < count {
                picked.push(Pick { first: first.plus(taken), count: count - taken, ..pick });
            }
            let demand = demand.filter(|_| !spent);
            left -= if spent { 0 } else { taken };
            let item = Item::Lease { queue, first, count: taken, until, started: demand.is_some() };
            self.push(item, demand.map_or(Origin::Ahead(queue), Origin::Demand));
        }
        left < max
    }
}

/// Gives back what is leased ahead in a queue, and answers it as what can be leased by the same record.
fn take_ahead(ahead: &mut Sorted<Ahead>, id: QueueId, queue: &Queue, now: Time, draft: &mut Draft) -> Vec<Pick> {
    let mut picks = Vec::new();
    let Some(ahead) = ahead.get_mut(id).filter(|_| !queue.paused) else {
        return picks;
    };
    for held in ahead.take_all() {
        // Where its lease has run out, it is seen as ready anyway.
        if let Some((_, run)) = queue.find(held.first).filter(|_| held.until > now) {
            let (first, count, expires) = (held.first, held.count, run.expires);
            picks.push(Pick { first, count, lapsed: false, spent: false, expires });
        }
        draft.ride(id, held, false);
    }
    picks
}

/// The wait before the retry of a message that had `attempts` deliveries before this one.
fn wait(backoff: &Backoff, attempts: u32, random: &mut Random) -> u64 {
    let mut wait = backoff.base_ms;
    for _ in 0..attempts.min(64) {
        wait = share(wait, backoff.factor.into(), 1000).min(backoff.max_ms);
    }
    wait = wait.min(backoff.max_ms);
    let spread = share(wait, backoff.jitter.into(), 1000);
    let (least, most) = (wait.saturating_sub(spread), wait.saturating_add(spread).min(backoff.max_ms));
    least.saturating_add(share(most.saturating_sub(least), random.thousandths(), 999))
}

/// How many messages of a send this record still takes. One always goes, however large, where there is none yet.
fn fits_record(send: &SendOrder, draft: &Draft) -> u32 {
    let by_count = limits::RECORD_MESSAGES_MAX.saturating_sub(draft.messages);
    let free = limits::RECORD_BYTES_MAX.saturating_sub(draft.bytes);
    let by_bytes = if key_bytes(send) > free { 0 } else { send.sizes.fitting(free - key_bytes(send)) };
    by_count.min(by_bytes).max(u32::from(draft.messages == 0))
}

fn key_bytes(send: &SendOrder) -> u64 {
    send.key.as_ref().map_or(0, |key| key.len() as u64)
}

/// Takes the first `count` messages off a send.
fn cut_send(send: &mut SendOrder, count: u32) -> SendOrder {
    SendOrder { sizes: send.sizes.split_front(count), key: send.key.clone(), ..*send }
}

/// The record sends these, and so fills its queue by as much as is `added`.
fn put_send(queue: &Queue, token: u32, send: SendOrder, added: (u64, u64), draft: &mut Draft) {
    let count = send.sizes.count();
    let drafted = draft.queue(send.queue);
    drafted.added = (drafted.added.0 + added.0, drafted.added.1.saturating_add(added.1));
    draft.messages += count;
    draft.bytes = draft.bytes.saturating_add(send.sizes.total() + key_bytes(&send));
    draft.sends.push((token, count));
    let item = Item::Send(sending(queue, &send, draft.now));
    draft.push(item, Origin::Command(Command { token, order: Order::Send(send) }));
}

fn sending(queue: &Queue, send: &SendOrder, now: Time) -> Send {
    let delay = send.delay_ms.unwrap_or(queue.policy.delay_ms);
    Send {
        queue: send.queue,
        sizes: send.sizes.clone(),
        due: if delay == 0 { 0 } else { now.saturating_add(delay) },
        expires: send.expires_ms.map_or(0, |ms| now.saturating_add(ms)),
        whole: send.whole,
        key: send.key.clone(),
    }
}
