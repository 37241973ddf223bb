//! Deciding of sends: as many go with the record as there is room for, in the queue and in the record; the others wait in line.

use super::{
    Effect, Peer, Why,
    command::{Command, Order, SendOrder},
    draft::{Draft, Origin},
};
use crate::{
    engine::{Needs, Queue},
    format::{Item, Overflow, Send, Whole},
    id::{QueueId, Time},
    limits,
};

impl Peer {
    /// What waits in a queue's line goes, as far as there is room.
    pub(super) fn place_parked(&mut self, queue: QueueId, draft: &mut Draft) {
        while !draft.is_full() {
            let Some(sends) = self.parked.pop(queue) else {
                return;
            };
            let left = self.place_sends(sends, true, draft);
            if !left.is_empty() {
                return self.parked.push_front(queue, left);
            }
        }
        self.parked.look(queue);
    }

    /// A send, or a batch. Where others wait before it, it waits behind them, unless its messages are there already and need no
    /// room. `complete`: none of the batch was called off.
    pub(super) fn place_new(&mut self, sends: Vec<Command>, complete: bool, draft: &mut Draft) {
        let Some(Command { order: Order::Send(send), .. }) = sends.first() else {
            return;
        };
        let queue = send.queue;
        let orphan = send.whole == Whole::Part || !complete;
        let free = !self.parked.has(queue) || orphan || self.needs(&sends, draft.now).messages == 0;
        let left = if free { self.place_sends(sends, complete, draft) } else { sends };
        if left.is_empty() {
            return;
        }
        if free && self.parked.has(queue) {
            // It is the record that has no room.
            return self.pending.extend(left);
        }
        self.parked.push_back(queue, left);
    }

    /// Answers with what is left of a send, or a batch, and has no room.
    fn place_sends(&mut self, mut sends: Vec<Command>, complete: bool, draft: &mut Draft) -> Vec<Command> {
        match sends.first().and_then(|first| first.messages(Whole::First)) {
            Some(_) => self.place_batch(sends, complete, draft),
            None => sends.pop().and_then(|send| self.place_send(send, draft)).into_iter().collect(),
        }
    }

    /// A send that is no part of a batch: as many of its messages as fit. Answers with the others.
    fn place_send(&mut self, command: Command, draft: &mut Draft) -> Option<Command> {
        let Command { token, order: Order::Send(mut send) } = command else {
            return None;
        };
        let Some(queue) = self.engine.queue(send.queue) else {
            self.refuse(token, Why::NoQueue, &send);
            return None;
        };
        if send.whole == Whole::Part {
            // The batch was called off that it was of.
            self.refuse(token, Why::Withdrawn, &send);
            return None;
        }
        let known = send.key.as_ref().is_some_and(|key| queue.keys.get(key, draft.now).is_some());
        let added = *draft.added(send.queue);
        let mut count = fits_record(&send, draft);
        // Whose key is known needs no room.
        if !known {
            let capacity = queue.policy.capacity_bytes;
            let over = send.sizes.leading(true, capacity, send.sizes.count());
            if over > 0 {
                send.sizes.split_front(over);
                self.effects.push(Effect::Refused { token, why: Why::TooLarge, count: over });
            }
            count = send.sizes.leading(false, capacity, count);
        }
        if send.sizes.count() == 0 {
            return None;
        }
        if count < send.sizes.count() {
            // The next record has room for more.
            self.parked.look(send.queue);
        }
        if queue.policy.overflow == Overflow::Wait && !known {
            count = count.min(queue.room(&send.sizes, added));
        }
        if count > 0 {
            let part = cut_send(&mut send, count);
            let added = if known { (0, 0) } else { (u64::from(count), part.sizes.total()) };
            put_send(queue, token, part, added, draft);
        }
        (send.sizes.count() > 0).then_some(Command { token, order: Order::Send(send) })
    }

    pub(super) fn refuse(&mut self, token: u32, why: Why, send: &SendOrder) {
        self.effects.push(Effect::Refused { token, why, count: send.sizes.count() });
    }

    /// What a send, or a batch, needs in order to stand.
    pub(super) fn needs(&self, sends: &[Command], now: Time) -> Needs {
        let mut needs = Needs::default();
        for command in sends {
            if let Order::Send(send) = &command.order
                && let Some(queue) = self.engine.queue(send.queue)
            {
                needs.add(queue, &send.sizes, send.key.as_deref(), now);
            }
        }
        needs
    }

    /// All sends of a batch, with the first in front: they go together, or not yet: then they come back. `complete`: none was
    /// called off.
    fn place_batch(&mut self, batch: Vec<Command>, complete: bool, draft: &mut Draft) -> Vec<Command> {
        let (mut messages, mut bytes, mut id) = (0, 0, 0);
        for command in &batch {
            let Order::Send(send) = &command.order else { continue };
            id = send.queue;
            messages += u64::from(send.sizes.count());
            bytes = u64::saturating_add(bytes, send.sizes.total() + key_bytes(send));
        }
        let needs = self.needs(&batch, draft.now);
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
            return Vec::new();
        };
        let added = *draft.added(id);
        let alone = draft.messages == 0;
        let small = u64::from(draft.messages) + messages <= limits::RECORD_MESSAGES_MAX.into()
            && draft.bytes.saturating_add(bytes) <= limits::RECORD_BYTES_MAX;
        let in_turn = draft.takes(batch.len()) && (alone || small);
        if !in_turn {
            self.parked.look(id);
        }
        let room = queue.policy.overflow != Overflow::Wait || queue.has_room(&needs, added);
        if !in_turn || !room {
            return batch;
        }
        let mut added = (needs.messages, needs.bytes);
        for Command { token, order } in batch {
            if let Order::Send(send) = order {
                put_send(queue, token, send, core::mem::take(&mut added), draft);
            }
        }
        Vec::new()
    }
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
    let before = draft.added(send.queue);
    *before = (before.0 + added.0, before.1.saturating_add(added.1));
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
