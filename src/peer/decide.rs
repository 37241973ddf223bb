//! Deciding: everything pending becomes one record, looked up on the replica, which is not changed.

use super::{
    Effect, Peer, Random,
    command::{Command, Order, Settle},
    demands::Demand,
    draft::{Draft, Flight, Origin},
    prefetch::{Aheads, Held},
};
use crate::{
    collections::pairs::Pairs,
    engine::{Pick, Queue},
    format::{Backoff, How, Item, Record, Whole},
    id::{QueueId, Time},
    limits,
    share::share,
};

impl Peer {
    /// Makes one record of all that is pending. False: there is nothing to write now. Either way there may be effects.
    pub fn decide(&mut self, wall: Time) -> bool {
        debug_assert!(self.flight.is_none(), "one step at a time");
        let now = self.now(wall);
        let due: Vec<_> = self.engine.due(now).map(|(queue, _)| queue).take(limits::OVERDUE_SCAN_MAX).collect();
        // So many are not looked at again and again: a record lets happen what is due.
        let many = due.len() == limits::OVERDUE_SCAN_MAX;
        for queue in due {
            self.look(queue);
        }
        let mut draft = Draft::new(now);
        for queue in self.parked.due() {
            self.place_parked(queue, &mut draft);
        }
        let mut commands = self.pending.take().into_iter().peekable();
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
            if draft.is_full() {
                self.pending.extend(batch);
            } else {
                self.place_new(batch, more == 0, &mut draft);
            }
        }
        let before = draft.items.len();
        self.place_leases(&mut draft);
        self.place_riders(&mut draft, false);
        let tick = many || self.engine.due(now).any(|(_, queue)| queue.wants_tick(now));
        let starts_due = self.ahead.starts_due(now);
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
        let Draft { now, items, origins, sends, demands, back, .. } = draft;
        let record = Record { time: now, base: self.engine.base(), writer: self.id, step: self.steps, chunk, items };
        let bytes = if self.memory { Vec::new() } else { record.encode() };
        self.flight = Some(Flight { record, bytes, origins, sends, demands, ended: Pairs::default(), back });
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
            Order::Send(_) => return self.place_new(vec![command], true, draft),
            Order::Settle { .. } => return self.place_settle(command, draft),
            Order::Redrive { .. } => return self.place_redrive(command, draft),
        };
        draft.push(item, Origin::Command(command));
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
        let (mut from, mut letters) = (*queue, self.letters(*queue, None, *max, draft.now));
        if letters.is_empty() {
            let name = self.engine.queue(*queue).and_then(|source| source.policy.dead_letter_queue.as_deref());
            from = name.and_then(|name| self.engine.named(name)).unwrap_or(*queue);
            letters = self.letters(from, Some(*queue), *max, draft.now);
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
        for queue in self.demands.due() {
            self.serve_ahead(queue, draft.now);
            self.place_leases_of(queue, draft);
        }
    }

    /// Leases what there is in a queue to its receives, and some ahead. Those that do not wait are answered.
    fn place_leases_of(&mut self, id: QueueId, draft: &mut Draft) {
        let now = draft.now;
        let mut demands = self.begin_with_ahead(id, now);
        let Some(queue) = self.engine.queue(id) else {
            return self.answer_hasty(id);
        };
        // What is left there does not do for who comes next: too old, or not the oldest. It is leased anew, each in its turn.
        let asked = !demands.is_empty() || self.demands.has(id);
        let back = if asked { take_ahead(&mut self.ahead, id, queue, now, draft) } else { Vec::new() };
        let ready = queue.counts_at(now).ready + back.iter().map(|pick| u64::from(pick.count)).sum::<u64>();
        let ready = if queue.paused { 0 } else { ready };
        let mut wanted = demands.iter().map(|demand| u64::from(demand.max)).sum::<u64>();
        while wanted < ready {
            // The others wait, however many they are.
            let Some(demand) = self.demands.pop(id) else { break };
            wanted += u64::from(demand.max);
            demands.push(demand);
        }
        let mut more = self.ahead.get(id).map_or(0, |ahead| ahead.wanted(ready.saturating_sub(wanted), now));
        if wanted == 0 && draft.items.is_empty() && more > 0 {
            // With the next record.
            more = 0;
            self.demands.look(id);
        }
        // The oldest is taken off first.
        let mut picked = queue.pick(now, wanted + u64::from(more), &draft.said);
        picked.extend(back);
        picked.sort_unstable_by_key(|pick| core::cmp::Reverse(pick.first));
        let visibility_ms = queue.policy.visibility_ms;
        for demand in demands {
            let until = now.saturating_add(demand.lease_ms.unwrap_or(visibility_ms).max(1));
            if draft.lease(id, &mut picked, demand.max, until, Some(&demand)) {
                self.ahead.get_or_insert(id).ask(demand.max, demand.lease_ms, now);
                draft.demands.push(demand);
            } else if demand.wait {
                self.demands.put(demand);
            } else {
                self.effects.push(Effect::Received { token: demand.token });
            }
        }
        self.answer_hasty(id);
        if !picked.is_empty() && self.demands.has(id) {
            // The record is full: the next one has room.
            self.demands.look(id);
        }
        let until = now.saturating_add(visibility_ms).saturating_add(limits::PREFETCH_IDLE_MS * 2);
        // What lapsed is not leased ahead, nor what expires before, which is to do so while it waits here, too; nor is anything
        // younger: it would be handed out first, for as long as more comes.
        if let Some(oldest) = picked.iter().rposition(|pick| pick.lapsed || pick.expires <= until) {
            picked.drain(..=oldest);
        }
        draft.lease(id, &mut picked, more, until, None);
    }

    /// For the receives of a queue that do not wait there is nothing.
    fn answer_hasty(&mut self, queue: QueueId) {
        while let Some(Demand { token, .. }) = self.demands.pop_hasty(queue) {
            self.effects.push(Effect::Received { token });
        }
    }

    /// What was leased ahead and goes back; `start`: hand-outs of it, which ride with any step.
    fn place_riders(&mut self, draft: &mut Draft, start: bool) {
        let mut room = limits::RIDERS_MAX;
        let queues = if start { self.ahead.starting() } else { self.ahead.due(draft.now) };
        for queue in queues {
            let Some(ahead) = self.ahead.get_mut(queue) else { continue };
            let runs = if start { ahead.give_started(&mut room) } else { ahead.give_back(draft.now, &mut room) };
            for held in runs {
                draft.ride(queue, held, start);
            }
        }
    }

    /// A record by which this peer gives back all it holds as if it had never been taken, to be written at once, beside the
    /// step under way if there is one; empty: it holds nothing. It leases nothing from now on, until it is shown under another
    /// name.
    pub fn parting(&mut self, wall: Time) -> Vec<u8> {
        let time = self.now(wall);
        self.hidden = true;
        self.ahead = Aheads::default();
        if self.flight.is_none() && !self.engine.holders().contains(&self.id) {
            return Vec::new();
        }
        let items = vec![Item::Leave { peer: self.id, queue: None, counted: false }];
        let record = Record { time, base: self.engine.base(), writer: self.id, step: 0, chunk: None, items };
        record.encode()
    }

    /// What was leased ahead goes back with the next step.
    pub fn release_idle(&mut self) {
        self.ahead.give_back_all();
    }
}

impl Draft {
    /// Tells of what was leased ahead that it goes back, or was handed out.
    pub(super) fn ride(&mut self, queue: QueueId, held: Held, start: bool) {
        let Held { first, count, grant, .. } = held;
        let how = if start { How::Start } else { How::Release };
        if !start {
            self.back.push((queue, held.clone()));
        }
        self.push(Item::Settle { queue, first, count, grant, how }, Origin::Rider { queue, held, start });
    }

    /// Leases up to `max` of the picked messages, to a receive or ahead of demand; false: there were none. What is spent on
    /// the way goes to the dead letters, as it would be leased next.
    fn lease(
        &mut self,
        queue: QueueId,
        picked: &mut Vec<Pick>,
        max: u32,
        until: Time,
        demand: Option<&Demand>,
    ) -> bool {
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
            let item =
                Item::Lease { queue, first, count: taken, until, started: demand.is_some_and(|demand| !demand.ahead) };
            self.push(
                item,
                demand
                    .map_or(Origin::Ahead(queue), |demand| Origin::Demand(demand.token, demand.ahead.then_some(queue))),
            );
        }
        left < max
    }
}

/// Gives back what is leased ahead in a queue, and answers it as what can be leased by the same record.
fn take_ahead(ahead: &mut Aheads, id: QueueId, queue: &Queue, now: Time, draft: &mut Draft) -> Vec<Pick> {
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
