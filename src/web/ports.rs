//! The door to the two ends of a port: rows of numbers in both directions, as in [`crate::wire`].

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{
    door::{named, pairs, real},
    rows::{self, WIDTH},
};
use crate::{
    port::{Allow, Client, Host, Notice, Span},
    wire::{Answer, Bad, Bodies, Frame, Order, Row},
};

fn refused(bad: Bad) -> JsValue {
    let part = match bad {
        Bad::Malformed(part) => part,
        Bad::Version => "version",
        Bad::OutOfOrder => "order",
    };
    named("FrameError", part)
}

fn row(numbers: &[f64]) -> Row {
    let mut row = [0.0; WIDTH];
    let count = numbers.len().min(WIDTH);
    row[..count].copy_from_slice(&numbers[..count]);
    row
}

/// Kinds of a client's rows behind those of the engine's effects: bodies that came along, and what only the context can make
/// sense of.
const ARRIVED: f64 = 20.0;
const ANSWER: f64 = 32.0;

/// The client's end. See [`Client`].
#[wasm_bindgen]
#[derive(Default)]
pub struct PortClient {
    client: Client,
    texts: Array,
    lengths: Vec<u32>,
}

#[wasm_bindgen]
impl PortClient {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an order, as a row. False: a send is not here any more.
    pub fn order(&mut self, order: &[f64], text: Option<String>, now: f64) -> Result<bool, JsValue> {
        let order = Order::read(&row(order)).map_err(refused)?;
        Ok(self.client.order(order, text.map(Into::into), now as u64))
    }

    /// Chooses what goes with the next frame; false: nothing does.
    pub fn plan(&mut self, now: f64) -> bool {
        self.client.plan(now as u64)
    }

    /// Pairs of token and count: whose bodies go along.
    pub fn sends(&self) -> Vec<u32> {
        pairs(&self.client.sends())
    }

    /// The frame. `parts`: pairs of count and form (as the wire packs it) of the pieces the bodies lie in.
    pub fn frame(&mut self, parts: &[f64], lengths: Vec<u32>) -> Result<Vec<u8>, JsValue> {
        let mut pieces = Vec::with_capacity(parts.len() / 2);
        for pair in parts.chunks_exact(2) {
            pieces.push((pair[0] as u32, Bodies::unpack(pair[1]).map_err(refused)?));
        }
        let (frame, texts) = self.client.frame(&pieces, lengths);
        for text in texts {
            self.texts.push(&JsValue::from_str(&text));
        }
        Ok(frame.encode())
    }

    /// The texts that go with the last frame, or that the last rows refer to.
    pub fn texts(&mut self) -> Array {
        core::mem::take(&mut self.texts)
    }

    /// The number of the last frame heard.
    #[wasm_bindgen(getter)]
    pub fn heard(&self) -> f64 {
        self.client.heard() as f64
    }

    /// Takes in a frame of the host. Throws FrameError, and has changed nothing then.
    pub fn hear(&mut self, frame: &[u8], now: f64) -> Result<(), JsValue> {
        let frame = Frame::decode(frame).map_err(refused)?;
        self.client.hear(&frame, now as u64).map_err(refused)?;
        self.lengths = frame.lengths;
        Ok(())
    }

    /// The lengths of the last frame heard.
    pub fn lengths(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.lengths)
    }

    /// What there is to tell, in rows of ten numbers: effects as the engine tells them, and more.
    pub fn notices(&mut self) -> Vec<f64> {
        let mut rows = Vec::new();
        for notice in self.client.notices() {
            match notice {
                Notice::Effect(effect) => rows::push(&mut rows, effect, &self.texts),
                Notice::Arrived(delivery) => {
                    let mut row = Answer::Delivered(delivery).write();
                    row[0] = ARRIVED;
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
        rows
    }

    pub fn deadline(&self) -> f64 {
        real(self.client.deadline())
    }

    pub fn waiting(&self) -> bool {
        self.client.waiting()
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

    /// Takes in a frame of the client, with so many texts and values beside it: its orders, in rows. Throws FrameError, and
    /// has changed nothing then.
    pub fn hear(&mut self, frame: &[u8], texts: u32, values: u32) -> Result<Vec<f64>, JsValue> {
        let frame = Frame::decode(frame).map_err(refused)?;
        let orders = self.host.hear(&frame, texts as usize, values as usize).map_err(refused)?;
        self.lengths = frame.lengths;
        let mut rows = Vec::with_capacity(orders.len() * WIDTH);
        for order in orders {
            rows.extend_from_slice(&order.write());
        }
        Ok(rows)
    }

    /// The lengths of the last frame heard.
    pub fn lengths(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.lengths)
    }

    /// A frame was refused. True: it was one too many.
    pub fn strike(&mut self) -> bool {
        self.host.strike()
    }

    /// Takes in an answer, as a row, with the lengths of its bodies.
    pub fn answer(&mut self, answer: &[f64], lengths: Option<Vec<u32>>) -> Result<(), JsValue> {
        let answer = Answer::read(&row(answer)).map_err(refused)?;
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

    /// The next frame; undefined: there is nothing to tell.
    pub fn frame(&mut self, now: f64) -> Option<Vec<u8>> {
        self.host.frame(now).map(|frame| frame.encode())
    }

    /// The client is gone: what it held, as rows of number, index, count, grant, and 1 where it was handed out.
    pub fn end(&mut self) -> Vec<f64> {
        let mut rows = Vec::new();
        for (spans, handed) in self.host.end().into_iter().zip([1.0, 0.0]) {
            for Span { first, count, grant } in spans {
                rows.extend_from_slice(&[
                    real(first.number()),
                    first.index().into(),
                    count.into(),
                    real(grant),
                    handed,
                ]);
            }
        }
        rows
    }
}
