//! One queue in memory, its clients, and the ports between them; what everyone was told is kept and held against each other.

use std::collections::{BTreeMap, BTreeSet};

use posthaste::{
    format::{Policy, Whole},
    id::{MessageId, QueueId},
    peer::{Effect, Peer, SendOrder, Settle},
    port::{Allow, Client, Host, Notice},
    wire::{Answer, Bodies, Delivery, Form, Frame, Order, Sending, Welcome},
};

type Check = Result<(), String>;

const CAPACITY: u64 = 60;
const VISIBILITY_MS: u64 = 30_000;
const BODIES: Bodies = Bodies { form: Form::Values, length: None, headers: false };

#[derive(Clone, Debug)]
pub enum Do {
    Send {
        count: u32,
        whole: bool,
    },
    Receive {
        max: u32,
        wait: bool,
    },
    Ack {
        which: usize,
    },
    Retry {
        which: usize,
    },
    Unsend {
        which: usize,
    },
    /// Everything that is to be said is said, both ways.
    Flush,
    Pass(u64),
    /// The client is gone, without a word; another takes its place.
    Die,
}

/// What an engine's token is for.
#[derive(Clone, Copy)]
struct Asked {
    client: usize,
    life: u32,
    token: u32,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Send,
    Receive,
    Settle,
}

struct End {
    client: Client,
    host: Host,
    life: u32,
    token: u32,
    /// Sends without all their answers, and receives without one.
    sends: BTreeMap<u32, u32>,
    receives: BTreeSet<u32>,
    held: Vec<(MessageId, u64)>,
    /// Acks that are under way.
    acking: BTreeMap<u32, MessageId>,
}

impl End {
    fn new(life: u32) -> Self {
        let mut host = Host::new(Allow { send: true, receive: true, admin: true });
        let welcome = Welcome { visibility_ms: VISIBILITY_MS as f64, durability: 0, messages: 0, bytes: 0 };
        host.answer(&Answer::Welcome(welcome), &[]);
        let mut client = Client::default();
        client.hear(&host.frame(0.0).expect("a welcome"), 0).expect("it is sound");
        client.notices();
        let (sends, receives, held, acking) = Default::default();
        Self { client, host, life, token: 0, sends, receives, held, acking }
    }
}

pub struct World {
    peer: Peer,
    queue: QueueId,
    ends: Vec<End>,
    now: u64,
    asked: BTreeMap<u32, Asked>,
    token: u32,
    /// Messages of each send that have no answer.
    flying: BTreeMap<u32, u32>,
    /// Messages that someone holds.
    holders: BTreeMap<MessageId, usize>,
    accepted: BTreeSet<MessageId>,
    acked: BTreeSet<MessageId>,
}

impl World {
    pub fn new(clients: usize) -> Self {
        let mut peer = Peer::new(1, 1, true);
        let now = 1_800_000_000_000;
        peer.create(0, "work", Policy { capacity_messages: CAPACITY, max_retries: u32::MAX, ..Policy::default() });
        assert!(peer.decide(now));
        peer.committed(1);
        peer.effects();
        let queue = peer.engine().named("work").expect("it was just made");
        let (asked, flying, holders, accepted, acked) = Default::default();
        let ends = (0..clients).map(|_| End::new(0)).collect();
        Self { peer, queue, ends, now, asked, token: 0, flying, holders, accepted, acked }
    }

    pub fn act(&mut self, at: usize, command: Do) -> Check {
        let now = self.now;
        let end = &mut self.ends[at];
        end.token += 1;
        let token = end.token;
        match command {
            Do::Send { count, whole } => {
                let (kind, more, more_bytes) = if whole { (2, 0, 0) } else { (0, 0, 0) };
                end.sends.insert(token, count);
                let sizes = (0..count).map(|place| u64::from(place % 3) * 10).collect();
                let (delay_ms, expires_ms, key) = (-1.0, 0.0, false);
                let sending = Sending {
                    token,
                    sizes,
                    listed: false,
                    delay_ms,
                    expires_ms,
                    kind,
                    more,
                    more_bytes,
                    bodies: BODIES,
                    key,
                };
                end.client.order(Order::Send(sending), None, now);
            }
            Do::Receive { max, wait } => {
                end.receives.insert(token);
                end.client.order(Order::Receive { token, max, lease_ms: 0.0, wait, ahead: false }, None, now);
            }
            Do::Ack { which } => self.settle(at, which, token, 0),
            Do::Retry { which } => self.settle(at, which, token, 1),
            Do::Unsend { which } => {
                if let Some((&token, _)) = end.sends.iter().nth(which % end.sends.len().max(1))
                    && end.client.order(Order::Unsend { token }, None, now)
                {
                    end.sends.remove(&token);
                }
            }
            Do::Flush => return self.flush(),
            Do::Pass(ms) => self.now += ms,
            Do::Die => return self.die(at),
        }
        self.tell(at)
    }

    fn settle(&mut self, at: usize, which: usize, token: u32, kind: u8) {
        let end = &mut self.ends[at];
        if end.held.is_empty() {
            return;
        }
        let (first, grant) = end.held.swap_remove(which % end.held.len());
        if kind == 0 {
            end.acking.insert(token, first);
        }
        // Told at once: what is said of it later is void.
        self.holders.remove(&first);
        let order = Order::Settle { token, kind, first, count: 1, grant, argument: 0.0, text: false };
        end.client.order(order, None, self.now);
    }

    fn die(&mut self, at: usize) -> Check {
        let end = &mut self.ends[at];
        let life = end.life + 1;
        // What was handed out counts as a delivery; what lay ahead goes back.
        for (spans, handed) in end.host.end().into_iter().zip([true, false]) {
            for span in spans {
                let how = if handed { Settle::Retry { delay_ms: Some(0), error: None } } else { Settle::Release };
                self.token += 1;
                self.peer.settle(self.token, self.queue, span.first, span.count, span.grant, how);
            }
        }
        self.holders.retain(|_, holder| *holder != at);
        let dead: Vec<u32> =
            self.asked.iter().filter(|(_, asked)| asked.client == at).map(|(&token, _)| token).collect();
        for token in dead {
            self.peer.unreceive(token);
        }
        self.ends[at] = End::new(life);
        self.flush()
    }

    /// Frames go until nobody has anything to say.
    fn flush(&mut self) -> Check {
        for _ in 0..1000 {
            let mut quiet = true;
            for at in 0..self.ends.len() {
                quiet &= !self.say(at)?;
            }
            quiet &= !self.step()?;
            for at in 0..self.ends.len() {
                quiet &= !self.answer(at)?;
            }
            if quiet {
                return Ok(());
            }
        }
        Err("they never stop talking".into())
    }

    fn say(&mut self, at: usize) -> Result<bool, String> {
        let end = &mut self.ends[at];
        if !end.client.plan(self.now) {
            return Ok(false);
        }
        let parts: Vec<(u32, Bodies)> = end.client.sends().into_iter().map(|(_, count)| (count, BODIES)).collect();
        let values = parts.len();
        let (frame, texts) = end.client.frame(&parts, Vec::new());
        let frame = Frame::decode(&frame.encode()).map_err(|bad| format!("{bad:?}"))?;
        let orders = end.host.hear(&frame, texts.len(), values).map_err(|bad| format!("refused: {bad:?}"))?;
        let life = end.life;
        for order in orders {
            self.carry_out(at, life, order);
        }
        Ok(true)
    }

    fn carry_out(&mut self, client: usize, life: u32, order: Order) {
        self.token += 1;
        let (own, queue) = (self.token, self.queue);
        let mut ask = |token, kind| {
            self.asked.insert(own, Asked { client, life, token, kind });
        };
        match order {
            Order::Send(Sending { token, sizes, kind, more, .. }) => {
                ask(token, Kind::Send);
                self.flying.insert(own, sizes.count());
                let whole = match kind {
                    0 => Whole::No,
                    1 => Whole::Part,
                    _ => Whole::First,
                };
                let (delay_ms, expires_ms, key) = (None, None, None);
                self.peer.send(own, SendOrder { queue, sizes, delay_ms, expires_ms, whole, more, key });
            }
            Order::Unsend { token } => {
                let sends: Vec<u32> = self
                    .asked
                    .iter()
                    .filter(|(_, asked)| {
                        asked.client == client && asked.life == life && asked.token == token && asked.kind == Kind::Send
                    })
                    .map(|(&own, _)| own)
                    .collect();
                for own in sends {
                    let left = self.flying.get(&own).copied().unwrap_or(0);
                    if self.peer.unsend(own) && left > 0 {
                        self.ends[client].host.answer(&Answer::Refused { token, why: 5, count: left }, &[]);
                    }
                }
            }
            Order::Receive { token, max, lease_ms, wait, .. } => {
                ask(token, Kind::Receive);
                // The lease is always named: the client leases ahead itself.
                let lease = if lease_ms > 0.0 { lease_ms as u64 } else { VISIBILITY_MS };
                self.peer.receive(own, queue, max, Some(lease), wait, self.now);
            }
            Order::Settle { token, kind, first, count, grant, .. } => {
                ask(token, Kind::Settle);
                let how = match kind {
                    0 => Settle::Ack,
                    1 => Settle::Retry { delay_ms: Some(0), error: None },
                    _ => Settle::Release,
                };
                self.peer.settle(own, queue, first, count, grant, how);
            }
            _ => {}
        }
    }

    fn step(&mut self) -> Result<bool, String> {
        let decided = self.peer.decide(self.now);
        if decided {
            let number = self.peer.engine().base() + 1;
            self.peer.committed(number);
        }
        for effect in self.peer.effects() {
            self.heard(effect)?;
        }
        Ok(decided)
    }

    fn heard(&mut self, effect: Effect) -> Check {
        let asked = |own: &u32| self.asked.get(own).copied();
        let (own, answer): (u32, fn(u32, &Effect) -> Answer) = match &effect {
            Effect::Sent { token, first, count } => {
                self.accepted.extend((0..*count).map(|place| first.plus(place)));
                if let Some(left) = self.flying.get_mut(token) {
                    *left -= count;
                }
                (*token, |token, effect| match *effect {
                    Effect::Sent { first, count, .. } => Answer::Sent { token, first, count },
                    _ => unreachable!(),
                })
            }
            Effect::Refused { token, .. } => (*token, |token, effect| match *effect {
                Effect::Refused { why, count, .. } => Answer::Refused { token, why: why as u8, count },
                _ => unreachable!(),
            }),
            Effect::Delivered { token, .. } => (*token, |token, effect| match *effect {
                Effect::Delivered { first, count, grant, until, attempt, sent, .. } => {
                    let (until, sent) = (until as f64, sent as f64);
                    Answer::Delivered(Delivery { token, first, count, grant, until, attempt, sent, bodies: BODIES })
                }
                _ => unreachable!(),
            }),
            Effect::Received { token } => (*token, |token, _| Answer::Received { token }),
            Effect::Lost { token, .. } => (*token, |token, effect| match *effect {
                Effect::Lost { first, count, .. } => Answer::Lost { token, first, count },
                _ => unreachable!(),
            }),
            Effect::Done { token, .. } => match asked(token) {
                Some(Asked { kind: Kind::Settle, .. }) => (*token, |token, _| Answer::Done { token, value: 1.0 }),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Some(Asked { client, life, token, .. }) = asked(&own) else { return Ok(()) };
        let end = &mut self.ends[client];
        if end.life == life {
            end.host.answer(&answer(token, &effect), &[]);
        } else if let Effect::Delivered { first, count, grant, .. } = effect {
            self.token += 1;
            self.peer.settle(self.token, self.queue, first, count, grant, Settle::Release);
        }
        Ok(())
    }

    fn answer(&mut self, at: usize) -> Result<bool, String> {
        let end = &mut self.ends[at];
        let Some(frame) = end.host.frame(self.now as f64) else { return Ok(false) };
        let frame = Frame::decode(&frame.encode()).map_err(|bad| format!("{bad:?}"))?;
        end.client.hear(&frame, self.now).map_err(|bad| format!("{bad:?}"))?;
        self.tell(at)?;
        Ok(true)
    }

    fn tell(&mut self, at: usize) -> Check {
        for notice in self.ends[at].client.notices() {
            let Notice::Effect(effect) = notice else { continue };
            let end = &mut self.ends[at];
            match effect {
                Effect::Sent { token, count, .. } | Effect::Refused { token, count, .. } => {
                    let left = end.sends.get_mut(&token).ok_or("an answer to no send")?;
                    *left = left.checked_sub(count).ok_or("more answers than messages")?;
                    if *left == 0 {
                        end.sends.remove(&token);
                    }
                }
                Effect::Delivered { token, first, count, grant, .. } => {
                    if !end.receives.contains(&token) {
                        return Err("messages for no receive".into());
                    }
                    for id in (0..count).map(|place| first.plus(place)) {
                        if self.acked.contains(&id) {
                            return Err(format!("{id:?} was acked and comes again"));
                        }
                        if let Some(holder) = self.holders.insert(id, at) {
                            return Err(format!("{id:?} went to {at}, and {holder} has it"));
                        }
                        self.ends[at].held.push((id, grant));
                    }
                }
                Effect::Received { token } if !end.receives.remove(&token) => {
                    return Err("a receive was answered twice".into());
                }
                Effect::Lost { token, .. } => drop(end.acking.remove(&token)),
                Effect::Done { token, .. } => self.acked.extend(end.acking.remove(&token)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes and acks everything there is; then everyone has their answers and nothing is left.
    pub fn drain(&mut self) -> Check {
        for _ in 0..60 {
            self.flush()?;
            for at in 0..self.ends.len() {
                self.act(at, Do::Receive { max: 20, wait: false })?;
            }
            self.flush()?;
            for at in 0..self.ends.len() {
                while !self.ends[at].held.is_empty() {
                    self.act(at, Do::Ack { which: 0 })?;
                }
            }
            self.now += 2000;
        }
        self.flush()?;
        if let Some(end) = self.ends.iter().find(|end| !end.sends.is_empty()) {
            return Err(format!("sends without an answer: {:?}", end.sends));
        }
        let backlog = self.peer.engine().queue(self.queue).map_or(0, |queue| queue.backlog());
        if backlog > 0 {
            return Err(format!("{backlog} messages are left"));
        }
        let known = self.acked.is_subset(&self.accepted);
        if known { Ok(()) } else { Err("something was acked that nobody sent".into()) }
    }
}
