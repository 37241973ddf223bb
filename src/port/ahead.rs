//! Leasing ahead over a port: a busy receiver is sent a few messages more than it asked for, so that it need not wait for the
//! way there and back. What is not asked for soon goes back.

use std::collections::VecDeque;

use crate::{limits, wire::Delivery};

/// What came and was not asked for yet.
#[derive(Default)]
pub struct Ahead {
    held: VecDeque<Delivery>,
    /// More was asked for, and has not been answered.
    pub asked: bool,
    asked_at: u64,
    busy: bool,
}

impl Ahead {
    pub fn count(&self) -> u32 {
        self.held.iter().map(|delivery| delivery.count).sum()
    }

    pub fn add(&mut self, delivery: Delivery) {
        self.held.push_back(delivery);
    }

    /// A receiver came for `max`; how many to ask for beyond them.
    pub fn ask(&mut self, max: u32, now: u64) -> u32 {
        self.busy = now < self.asked_at.saturating_add(limits::PREFETCH_ACTIVE_MS);
        self.asked_at = now;
        let target = max.clamp(limits::PREFETCH_MIN, limits::PREFETCH_MAX);
        let have = self.count();
        if self.asked || !self.busy || have > target / 2 { 0 } else { target - have }
    }

    /// Up to `max` messages whose lease lasts until `until` at least.
    pub fn hand_out(&mut self, max: u32, until: f64) -> Option<Delivery> {
        let front = self.held.front_mut().filter(|delivery| delivery.until >= until)?;
        if front.count <= max {
            return self.held.pop_front();
        }
        let given = Delivery { count: max, ..*front };
        front.first = front.first.plus(max);
        front.count -= max;
        Some(given)
    }

    /// Drops what the journal took away; answers whether any of it was here.
    pub fn forget(&mut self, grant: u64) -> bool {
        let before = self.held.len();
        self.held.retain(|delivery| delivery.grant != grant);
        self.held.len() < before
    }

    /// Everything, when nobody asked for a while (or `all`).
    pub fn give_back(&mut self, now: u64, all: bool) -> VecDeque<Delivery> {
        if !all && now < self.asked_at.saturating_add(limits::PREFETCH_IDLE_MS) {
            return VecDeque::new();
        }
        core::mem::take(&mut self.held)
    }

    pub fn deadline(&self) -> u64 {
        if self.held.is_empty() { u64::MAX } else { self.asked_at.saturating_add(limits::PREFETCH_IDLE_MS) }
    }
}
