//! Leasing ahead over a port: a busy receiver is sent a few messages more than it asked for, so that it need not wait for the
//! way there and back. What is not asked for soon goes back.

use crate::{id::MessageId, limits, wire::Delivery};

/// What came and was not asked for yet.
#[derive(Default)]
pub struct Ahead {
    /// Oldest first.
    held: Vec<Delivery>,
    /// More was asked for, and has not been answered.
    pub asked: bool,
    asked_at: u64,
    /// When the last that was asked for had come.
    came_at: u64,
    /// How many to have here.
    target: u32,
    busy: bool,
}

impl Ahead {
    pub fn count(&self) -> u32 {
        self.held.iter().map(|delivery| delivery.count).sum()
    }

    pub fn add(&mut self, delivery: Delivery) {
        self.held.push(delivery);
    }

    /// A receiver came for `max`; how many to ask for beyond them. Where half of what came is gone at once, the way there and
    /// back is what takes the time: twice as many are asked for. Of large bodies, or with work to do on them, none go so fast.
    pub fn ask(&mut self, max: u32, now: u64) -> u32 {
        self.busy = now < self.asked_at.saturating_add(limits::PREFETCH_ACTIVE_MS);
        self.asked_at = now;
        let least = max.clamp(limits::PREFETCH_MIN, limits::PREFETCH_MAX);
        let have = self.count();
        if self.asked || !self.busy || have > self.target / 2 {
            return 0;
        }
        let fast = now <= self.came_at.saturating_add(limits::PREFETCH_FAST_MS);
        self.target = if fast { (2 * self.target).clamp(least, limits::PREFETCH_MAX) } else { least };
        self.target.saturating_sub(have)
    }

    /// What was asked for has come, or as much of it as there is, or as is to go at a time.
    pub fn came(&mut self, now: u64) {
        (self.asked, self.came_at, self.target) = (false, now, self.target.min(self.count()));
    }

    /// What lies in front and has too little left of its lease to be handed out.
    pub fn stale(&mut self, until: f64) -> Option<Delivery> {
        let stale = self.held.first()?.until < until;
        stale.then(|| self.held.remove(0))
    }

    /// When what lies in front has `least` milliseconds left of its lease, and is to go back. Not while more is on its way.
    pub fn stale_at(&self, least: f64) -> u64 {
        let front = self.held.first().filter(|_| !self.asked);
        front.map_or(u64::MAX, |front| ((front.until - least) as u64).saturating_add(1))
    }

    /// Up to `max` messages, the first that came.
    pub fn hand_out(&mut self, max: u32) -> Option<Delivery> {
        let front = self.held.first_mut()?;
        let given = Delivery { count: front.count.min(max), ..*front };
        if given.count == front.count {
            self.held.remove(0);
        } else {
            front.first = front.first.plus(max);
            front.count -= max;
        }
        Some(given)
    }

    /// Takes out what the journal took away of a lease; the rest of it stays, in its order.
    pub fn forget(&mut self, first: MessageId, count: u32, grant: u64) -> Vec<Delivery> {
        let end = first.plus(count);
        let mut gone = Vec::new();
        for delivery in core::mem::take(&mut self.held) {
            let (start, stop) = (delivery.first, delivery.first.plus(delivery.count));
            let (from, to) = (start.max(first), stop.min(end));
            if delivery.grant != grant || from >= to {
                self.held.push(delivery);
                continue;
            }
            let part = |from: MessageId, to: MessageId| Delivery { first: from, count: to.since(from), ..delivery };
            if start < from {
                self.held.push(part(start, from));
            }
            gone.push(part(from, to));
            if to < stop {
                self.held.push(part(to, stop));
            }
        }
        gone
    }

    /// Everything, when nobody asked for a while (or `all`).
    pub fn give_back(&mut self, now: u64, all: bool) -> Vec<Delivery> {
        if all || now >= self.deadline() { core::mem::take(&mut self.held) } else { Vec::new() }
    }

    /// When it goes back. Not while more is on its way, which would be handed out before what went back.
    pub fn deadline(&self) -> u64 {
        let some = !self.held.is_empty() && !self.asked;
        if some { self.asked_at.saturating_add(limits::PREFETCH_IDLE_MS) } else { u64::MAX }
    }
}
