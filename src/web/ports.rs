//! The door to the two ends of a port: rows of numbers in both directions, as in [`crate::wire`].

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{
    crossing::{leave, leave_frame, leave_pairs, named, real, whole, written},
    rows::{self, Texts, WIDTH},
};
use crate::{
    port::{Allow, Client, Host, Notice, Span},
    sizes::Sizes,
    wire::{Answer, Bad, Bodies, Frame, Order},
};

fn refused(bad: Bad) -> JsValue {
    let part = match bad {
        Bad::Malformed(part) => part,
        Bad::Version => "version",
        Bad::OutOfOrder => "order",
    };
    named("FrameError", part)
}

/// The engine's effect of that name, with the lease.
const GONE: f64 = 10.0;
/// Kinds of a client's rows behind those of the engine's effects: bodies that came along, and what only the context can make
/// sense of.
const ARRIVED: f64 = 20.0;
const ANSWER: f64 = 32.0;

/// The client's end. See [`Client`].
#[wasm_bindgen]
#[derive(Default)]
pub struct PortClient {
    client: Client,
    texts: Texts,
    lengths: Vec<u32>,
    /// Of the messages that the next order sends, where they are not alike.
    sizes: Option<Sizes>,
    /// How the bodies lie beside the frame that is being made.
    pieces: Vec<(u32, Bodies)>,
}

#[wasm_bindgen]
impl PortClient {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next order is a send of messages with so many bytes each.
    pub fn sizes(&mut self, sizes: Vec<f64>) {
        self.sizes = Some(sizes.into_iter().map(whole).collect());
    }

    /// Takes in an order, as the numbers of a row. False: a send is not here any more.
    #[allow(clippy::too_many_arguments)]
    pub fn order(
        &mut self,
        now: f64,
        text: Option<String>,
        kind: f64,
        a: f64,
        b: f64,
        c: f64,
        d: f64,
        e: f64,
        f: f64,
        g: f64,
        h: f64,
        i: f64,
    ) -> Result<bool, JsValue> {
        let mut order = Order::read(&[kind, a, b, c, d, e, f, g, h, i]).map_err(refused)?;
        if let (Order::Send(sending), Some(sizes)) = (&mut order, self.sizes.take()) {
            sending.sizes = sizes;
        }
        Ok(self.client.order(order, text.map(Into::into), now as u64))
    }

    /// Chooses what goes with the next frame; false: nothing does.
    pub fn plan(&mut self, now: f64) -> bool {
        self.client.plan(now as u64)
    }

    /// Leaves pairs of token and count: whose bodies go along.
    pub fn sends(&mut self) -> usize {
        leave_pairs(&self.client.sends())
    }

    /// So many more of the bodies that go along lie in one piece, of a form as the wire packs it.
    pub fn piece(&mut self, count: u32, form: f64) -> Result<(), JsValue> {
        self.pieces.push((count, Bodies::unpack(form).map_err(refused)?));
        Ok(())
    }

    /// Makes the frame; answers its length. `lengths`: of the bodies whose form says that they follow.
    pub fn frame(&mut self, lengths: Option<Vec<u32>>) -> usize {
        let (frame, texts) = self.client.frame(&self.pieces, lengths.unwrap_or_default());
        self.pieces.clear();
        for text in texts {
            self.texts.push(&text);
        }
        leave_frame(frame.encode())
    }

    /// The texts that go with the last frame, or that the last rows refer to.
    pub fn texts(&mut self) -> Option<Array> {
        self.texts.take()
    }

    /// The number of the last frame heard.
    #[wasm_bindgen(getter)]
    pub fn heard(&self) -> f64 {
        self.client.heard() as f64
    }

    /// The number of the last frame made.
    #[wasm_bindgen(getter)]
    pub fn said(&self) -> f64 {
        self.client.said() as f64
    }

    /// The number of the last frame made that the host has heard.
    #[wasm_bindgen(getter)]
    pub fn known(&self) -> f64 {
        self.client.known() as f64
    }

    /// Takes in the frame of the host that was written. Throws FrameError, and has changed nothing then.
    pub fn hear(&mut self, now: f64) -> Result<(), JsValue> {
        let frame = written(Frame::decode).map_err(refused)?;
        self.client.hear(&frame, now as u64).map_err(refused)?;
        self.lengths = frame.lengths;
        Ok(())
    }

    /// The lengths of the last frame heard.
    pub fn lengths(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.lengths)
    }

    /// Leaves what there is to tell, in rows of ten numbers: effects as the engine tells them, and more.
    pub fn notices(&mut self) -> usize {
        let Self { client, texts, .. } = self;
        leave(|rows| {
            for notice in client.notices() {
                match notice {
                    Notice::Effect(effect) => rows::push(rows, effect, texts),
                    Notice::Arrived(delivery) => {
                        let mut row = Answer::Delivered(delivery).write();
                        row[0] = ARRIVED;
                        rows.extend_from_slice(&row);
                    }
                    Notice::Gone(Span { first, count, grant }) => {
                        let mut row = [0.0; WIDTH];
                        row[..5].copy_from_slice(&[
                            GONE,
                            real(first.number()),
                            first.index().into(),
                            count.into(),
                            real(grant),
                        ]);
                        rows.extend_from_slice(&row);
                    }
                    Notice::Answer(answer) => {
                        let mut row = answer.write();
                        row[0] += ANSWER;
                        rows.extend_from_slice(&row);
                    }
                }
                debug_assert!(rows.len() % WIDTH == 0);
            }
        })
    }

    pub fn deadline(&self) -> f64 {
        real(self.client.deadline())
    }

    pub fn waiting(&self) -> bool {
        self.client.waiting()
    }

    /// Whether sends wait for credit.
    #[wasm_bindgen(js_name = isBlocked)]
    pub fn is_blocked(&self) -> bool {
        self.client.is_blocked()
    }
}

/// The host's end for one client. See [`Host`].
#[wasm_bindgen]
pub struct PortHost {
    host: Host,
    lengths: Vec<u32>,
}

#[wasm_bindgen]
impl PortHost {
    /// `allow`: 1 send, 2 receive, 4 admin, added up.
    #[wasm_bindgen(constructor)]
    pub fn new(allow: u8) -> Self {
        let allow = Allow { send: allow & 1 != 0, receive: allow & 2 != 0, admin: allow & 4 != 0 };
        Self { host: Host::new(allow), lengths: Vec::new() }
    }

    #[wasm_bindgen(getter)]
    pub fn heard(&self) -> f64 {
        self.host.heard() as f64
    }

    /// Takes in the frame of the client that was written, with so many texts and values beside it; leaves its orders, in rows.
    /// Throws FrameError, and has changed nothing then.
    pub fn hear(&mut self, texts: u32, values: u32) -> Result<usize, JsValue> {
        let frame = written(Frame::decode).map_err(refused)?;
        let orders = self.host.hear(&frame, texts as usize, values as usize).map_err(refused)?;
        self.lengths = frame.lengths;
        Ok(leave(|rows| {
            for order in orders {
                rows.extend_from_slice(&order.write());
            }
        }))
    }

    /// The lengths of the last frame heard.
    pub fn lengths(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.lengths)
    }

    /// A frame was refused. True: it was one too many.
    pub fn strike(&mut self) -> bool {
        self.host.strike()
    }

    /// Takes in an answer, as the numbers of a row, with the lengths of its bodies.
    #[allow(clippy::too_many_arguments)]
    pub fn answer(
        &mut self,
        lengths: Option<Vec<u32>>,
        kind: f64,
        a: f64,
        b: f64,
        c: f64,
        d: f64,
        e: f64,
        f: f64,
        g: f64,
        h: f64,
        i: f64,
    ) -> Result<(), JsValue> {
        let answer = Answer::read(&[kind, a, b, c, d, e, f, g, h, i]).map_err(refused)?;
        self.host.answer(&answer, &lengths.unwrap_or_default());
        Ok(())
    }

    /// Whether the client is told of events.
    #[wasm_bindgen(js_name = tellsEvents)]
    pub fn tells_events(&self) -> bool {
        self.host.tells_events()
    }

    #[wasm_bindgen(js_name = isFull)]
    pub fn is_full(&self) -> bool {
        self.host.is_full()
    }

    /// Makes the next frame; answers its length, 0 where there is nothing to tell.
    pub fn frame(&mut self, now: f64) -> usize {
        leave_frame(self.host.frame(now).map(|frame| frame.encode()).unwrap_or_default())
    }

    /// Whether the client has leases.
    #[wasm_bindgen(getter)]
    pub fn holds(&self) -> bool {
        self.host.holds()
    }

    /// The client is gone, or taken for it; `tell`: it will hear of it. Leaves what it held, in rows of number, index, count, grant, and 1 where it was handed out.
    pub fn end(&mut self, tell: bool) -> usize {
        let held = self.host.end(tell);
        leave(|rows| {
            for (spans, handed) in held.into_iter().zip([1.0, 0.0]) {
                for Span { first, count, grant } in spans {
                    let (number, index) = (real(first.number()), first.index().into());
                    rows.extend_from_slice(&[number, index, count.into(), real(grant), handed]);
                }
            }
        })
    }
}
