//! The world of one seed: contexts on one journal, what they do, and what goes wrong.

use posthaste::{
    collections::sizes::Sizes,
    format::{Backoff, Overflow, Policy, Whole},
    id::{QueueId, Time},
    peer::{SendOrder, Settle},
};

use super::{
    context::{Context, Phase, Witness},
    history::{Check, History},
    ledger::Ledger,
    random::Random,
    sabotage::Sabotage,
    store::Store,
};

const START: Time = 1_800_000_000_000;
/// Rounds in which everything must drain when faults have stopped.
const DRAIN_ROUNDS: u32 = 60;

pub struct World {
    pub random: Random,
    pub store: Store,
    pub history: History,
    pub ledger: Ledger,
    contexts: Vec<Context>,
    pub sabotage: Sabotage,
    now: Time,
    next_id: u64,
    next_tag: u32,
    /// What a body is said to weigh: heavy ones make clean-up come early.
    weight: u64,
    /// As on one machine while no one sets its clock.
    one_clock: bool,
    queues: Vec<(&'static str, Policy)>,
    /// What applications asked for.
    pub operations: u64,
    pub crashes: u64,
    /// Contexts that crashed.
    dead: Vec<u64>,
    /// How often the messages of one were given back by someone else.
    pub buried: u64,
}

/// The queues of a world: one or more of the ways to be full, to drop and to give up, most with the same dead-letter queue.
fn queues(random: &mut Random) -> Vec<(&'static str, Policy)> {
    let backoff = Backoff { base_ms: 500, factor: 2000, max_ms: 10_000, jitter: 300 };
    let base = Policy { visibility_ms: 5000, window_ms: 20_000, backoff, ..Policy::default() };
    let dead = Some("dead".into());
    let mut queues = vec![
        ("work", Policy { max_retries: 2, capacity_messages: 30, dead_letter_queue: dead.clone(), ..base.clone() }),
        (
            "ring",
            Policy {
                max_retries: 1,
                capacity_messages: 8,
                overflow: Overflow::DropOldest,
                retention_ms: 120_000,
                ..base.clone()
            },
        ),
        (
            "strict",
            Policy {
                capacity_messages: 10,
                overflow: Overflow::Reject,
                dead_letter_queue: dead.clone(),
                ..base.clone()
            },
        ),
        (
            "heavy",
            Policy {
                max_retries: 1,
                capacity_bytes: 2000,
                overflow: Overflow::DropNewest,
                dead_letter_queue: dead,
                delay_ms: 700,
                ..base.clone()
            },
        ),
        ("steps", Policy { max_retries: 0, dead_letter_queue: Some("work".into()), ..base.clone() }),
        // Else it is made as a keeper, for the first dead letter.
        ("dead", Policy { max_retries: 1, ..base }),
    ];
    queues.retain(|(name, _)| *name == "work" || random.once_in(2));
    // Who comes first makes the dead-letter queue of who comes later.
    let first = random.place(queues.len());
    queues.rotate_left(first);
    queues
}

impl World {
    pub fn new(seed: u64, sabotage: Sabotage) -> Self {
        let mut random = Random(seed);
        let peers = 2 + random.below(4);
        let one_clock = random.once_in(2);
        let weight = if random.once_in(2) { 2 << 20 } else { 100 };
        let queues = queues(&mut random);
        let mut world = Self {
            random,
            store: Store::default(),
            history: History::default(),
            ledger: Ledger::default(),
            contexts: Vec::new(),
            sabotage,
            now: START,
            next_id: 1,
            next_tag: 1,
            weight,
            one_clock,
            queues,
            operations: 0,
            crashes: 0,
            dead: Vec::new(),
            buried: 0,
        };
        (0..peers).for_each(|_| world.join());
        world
    }

    /// A new context opens the journal.
    fn join(&mut self) {
        let skew = if self.one_clock { 0 } else { self.random.below(4000) as i64 - 2000 };
        let context = self.opened(skew);
        self.contexts.push(context);
    }

    fn opened(&mut self, skew: i64) -> Context {
        let mut context = Context::new(self.next_id, skew);
        self.next_id += 1;
        for (name, policy) in &self.queues {
            let token = context.other();
            context.peer.create(token, name, policy.clone());
        }
        context
    }

    /// Everything: `steps` of chaos, then peace until all is drained.
    pub fn run(&mut self, steps: u32) -> Check {
        for at in 0..self.contexts.len() {
            self.catch_up(at)?;
        }
        for _ in 0..steps {
            self.now += match self.random.below(40) {
                0 => 20_000,
                1..8 => self.random.below(3000),
                _ => self.random.below(60),
            };
            let at = self.random.place(self.contexts.len());
            if self.contexts[at].asleep {
                self.contexts[at].asleep = !self.random.once_in(12);
                continue;
            }
            self.act(at)?;
        }
        self.drain()
    }

    fn wall(&self, at: usize) -> Time {
        self.now.saturating_add_signed(self.contexts[at].skew)
    }

    fn hear(&mut self, at: usize) -> Check {
        let Self { store, history, ledger, now, one_clock, .. } = self;
        let (now, one_clock) = (*now, *one_clock);
        self.contexts[at].hear(Witness { store, history, ledger, now, one_clock })?;
        if let Sabotage::TwoHolders = self.sabotage
            && let Some(held) = self.contexts[at].held.last()
        {
            let other = self.contexts[(at + 1) % self.contexts.len()].id;
            let queue = self.history.engine.named("work").unwrap_or(0);
            let body = self.store.body(held.first.number(), held.first.index());
            let claim = (other, queue, held.grant);
            self.ledger.delivered(&self.history, held.first, claim, body)?;
        }
        Ok(())
    }

    fn act(&mut self, at: usize) -> Check {
        match self.random.below(100) {
            0..3 => self.crash(at)?,
            3..5 => self.contexts[at].asleep = true,
            5 if !self.one_clock => self.contexts[at].skew += self.random.below(60_000) as i64 - 30_000,
            5..46 => self.ask(at),
            _ => self.go_on(at)?,
        }
        self.hear(at)
    }

    /// The context dies, wherever it is in its loop, and another comes.
    fn crash(&mut self, at: usize) -> Check {
        self.crashes += 1;
        let Context { skew, id, .. } = self.contexts[at];
        self.dead.push(id);
        self.contexts[at] = self.opened(skew);
        self.catch_up(at)
    }

    fn catch_up(&mut self, at: usize) -> Check {
        let context = &mut self.contexts[at];
        let base = context.peer.engine().base();
        let mut tail = self.store.read(base + 1);
        self.sabotage.read(&mut tail);
        context.meet(tail, None)?;
        self.hear(at)
    }

    fn any_queue(&mut self, at: usize) -> QueueId {
        let ids: Vec<QueueId> = self.contexts[at].peer.engine().queues().map(|(id, _)| id).collect();
        if ids.is_empty() { 0 } else { ids[self.random.place(ids.len())] }
    }

    /// The application asks for something.
    fn ask(&mut self, at: usize) {
        self.operations += 1;
        let wall = self.wall(at);
        let queue = self.any_queue(at);
        let choice = self.random.below(100);
        let context = &mut self.contexts[at];
        match choice {
            0..35 => self.ask_send(at, queue),
            35..60 => {
                let (max, wait) = (1 + self.random.below(4) as u32, self.random.once_in(2));
                let token = context.receive(queue, max, wait, wall);
                if self.random.once_in(10) {
                    context.peer.unreceive(token);
                }
            }
            60..90 => self.ask_settle(at),
            90..93 => {
                if let Some(id) = self.ledger.any_promised(self.random.below(12)) {
                    context.cancel(queue, id);
                }
            }
            93 => context.unsend(),
            94 => context.peer.release_idle(),
            98 => {
                let holders = context.peer.others();
                if let Some(dead) = holders.into_iter().find(|holder| self.dead.contains(holder)) {
                    let token = context.other();
                    context.peer.bury(token, dead, None, self.random.once_in(2));
                    self.buried += 1;
                }
            }
            95 => {
                let token = context.other();
                context.peer.purge(token, queue);
            }
            96..98 => {
                let (token, paused) = (context.other(), self.random.once_in(3));
                context.peer.pause(token, queue, paused);
            }
            _ => {
                let token = context.other();
                context.peer.redrive(token, queue, None, 1 + self.random.below(8));
            }
        }
    }

    fn ask_send(&mut self, at: usize, queue: QueueId) {
        let keeper = self.contexts[at].peer.engine().queue(queue).is_none_or(|queue| queue.keeper);
        let random = &mut self.random;
        let most = if random.once_in(4) { 6 } else { 1 };
        let count = 1 + random.below(most) as u32;
        let key = (count == 1 && random.once_in(6)).then(|| format!("key {}", random.below(4)).into());
        let order = SendOrder {
            queue,
            sizes: if random.once_in(3) {
                (0..count).map(|_| random.below(self.weight * 2)).collect()
            } else {
                Sizes::alike(count, self.weight)
            },
            delay_ms: random.once_in(6).then(|| random.below(10_000)),
            expires_ms: (!keeper && random.once_in(10)).then(|| 1 + random.below(30_000)),
            whole: if random.once_in(4) { Whole::First } else { Whole::No },
            more: 0,
            key,
        };
        let tags = self.next_tag..self.next_tag + count;
        self.next_tag += count;
        self.contexts[at].send(order, tags);
    }

    fn ask_settle(&mut self, at: usize) {
        let context = &mut self.contexts[at];
        if context.held.is_empty() {
            return;
        }
        let place = self.random.place(context.held.len());
        let mut holding = context.held.swap_remove(place);
        if holding.count > 1 && self.random.once_in(2) {
            let rest = super::context::Holding { first: holding.first.plus(1), count: holding.count - 1, ..holding };
            context.held.push(rest);
            holding.count = 1;
        }
        let how = match self.random.below(12) {
            0 => Settle::Release,
            1 => Settle::DeadLetter { reason: "unreadable".into() },
            2 | 3 => Settle::Retry { delay_ms: None, error: Some("no route".into()) },
            4 => {
                context.held.push(holding);
                Settle::Extend { ms: 1 + self.random.below(20_000) }
            }
            5 => {
                // Said twice.
                context.held.push(holding);
                Settle::Ack
            }
            _ => Settle::Ack,
        };
        context.settle(holding, how);
    }

    /// The context's loop goes one piece on.
    fn go_on(&mut self, at: usize) -> Check {
        let wall = self.wall(at);
        match std::mem::replace(&mut self.contexts[at].phase, Phase::Idle) {
            Phase::Idle => match self.random.below(10) {
                0 => self.take_snapshot(at),
                1 => self.catch_up(at)?,
                2..5 => self.step_reading_first(at)?,
                _ => {
                    if let Some((record, bodies)) = self.contexts[at].decide(wall) {
                        self.contexts[at].phase = Phase::Decided { record, bodies };
                    }
                }
            },
            Phase::Decided { .. } if self.random.once_in(12) => {
                // The store refused, or the connection broke before the commit.
                if self.random.once_in(2) {
                    self.contexts[at].peer.abandoned();
                } else {
                    self.contexts[at].reconnect(&self.store)?;
                }
            }
            Phase::Decided { record, bodies } => {
                if let Some(number) = self.commit(at, record, bodies)? {
                    self.contexts[at].phase = Phase::Committed { number };
                }
            }
            Phase::Committed { .. } if self.random.once_in(8) => self.contexts[at].reconnect(&self.store)?,
            Phase::Committed { number } => self.contexts[at].land(&self.store, number)?,
            Phase::Snapshot { number, floor, bytes, ranges, parts } => {
                let written = self.store.write_snapshot(number, floor, bytes, &ranges, &parts);
                self.sabotage.cleaned(&mut self.store, &self.history.engine);
                self.contexts[at].peer.snapshot_over(written);
                let Self { store, history, ledger, .. } = self;
                ledger.check_bodies(history, |id| store.body(id.number(), id.index()))?;
            }
        }
        Ok(())
    }

    fn take_snapshot(&mut self, at: usize) {
        let peer = &mut self.contexts[at].peer;
        if !peer.wants_snapshot(false) && !self.random.once_in(4) {
            return;
        }
        let bytes = peer.snapshot();
        let (number, floor, ranges) = (peer.engine().base(), peer.floor(), peer.drained().to_vec());
        let parts = peer.dead_parts().to_vec();
        if number == 0 {
            return peer.snapshot_over(false);
        }
        self.contexts[at].phase = Phase::Snapshot { number, floor, bytes, ranges, parts };
    }

    /// Answers the number, unless the context did not live to learn it.
    fn commit(&mut self, at: usize, mut record: Vec<u8>, bodies: Vec<u32>) -> Result<Option<u64>, String> {
        let falsified = self.sabotage.record(&mut record, &self.history);
        let gap = if self.random.once_in(20) { 1 + self.random.below(3) } else { 0 };
        let number = self.store.append(record.clone(), bodies.clone(), gap);
        self.sabotage.committed(&mut self.store, number);
        self.history.commit(number, &record, bodies)?;
        if falsified {
            self.crash(at)?;
        }
        Ok((!falsified).then_some(number))
    }

    /// A step that reads the tail in the same transaction.
    fn step_reading_first(&mut self, at: usize) -> Check {
        self.catch_up(at)?;
        let wall = self.wall(at);
        let Some((record, bodies)) = self.contexts[at].decide(wall) else {
            return self.hear(at);
        };
        if let Some(number) = self.commit(at, record, bodies)? {
            self.contexts[at].land(&self.store, number)?;
        }
        self.hear(at)
    }

    /// Faults have stopped: everything must come to its end.
    fn drain(&mut self) -> Check {
        for at in 0..self.contexts.len() {
            self.contexts[at].asleep = false;
            while !matches!(self.contexts[at].phase, Phase::Idle) {
                self.go_on(at)?;
                self.hear(at)?;
            }
        }
        for _ in 0..DRAIN_ROUNDS {
            for at in 0..self.contexts.len() {
                self.drain_at(at)?;
            }
            self.now += 60_000;
            let quiet = self.contexts.iter().all(Context::is_quiet);
            if quiet && self.history.is_empty() {
                return self.ledger.check_end(&self.history);
            }
        }
        Err(format!("not drained after {DRAIN_ROUNDS} rounds"))
    }

    fn drain_at(&mut self, at: usize) -> Check {
        self.catch_up(at)?;
        let wall = self.wall(at);
        let context = &mut self.contexts[at];
        let queues: Vec<(QueueId, bool)> =
            context.peer.engine().queues().map(|(id, queue)| (id, queue.paused)).collect();
        for (queue, paused) in queues {
            if paused {
                let token = context.other();
                context.peer.pause(token, queue, false);
            }
            context.receive(queue, 50, false, wall);
        }
        for _ in 0..8 {
            self.step_reading_first(at)?;
            let held = std::mem::take(&mut self.contexts[at].held);
            held.into_iter().for_each(|holding| self.contexts[at].settle(holding, Settle::Ack));
        }
        self.hear(at)
    }
}
