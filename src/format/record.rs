//! One step of one peer, as the journal keeps it.

use super::{FormatError, Item, Reader, Writer};
use crate::{
    id::{MessageId, TIME_MAX, Time},
    limits,
};

/// A step's results. Its number is not in it: the store gives that when the record is committed.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// When it was decided.
    pub time: Time,
    /// The last record the writer had applied. When the number given is `base + 1`, everything stands as decided.
    pub base: u64,
    /// The peer that wrote it, by the name under which it leases, and which of its steps this is: after a lost connection a peer
    /// looks for its own.
    pub writer: u64,
    pub step: u64,
    /// `None`: bodies are in the record's own value; else they are apart, 2^chunk messages a value.
    pub chunk: Option<u8>,
    pub items: Vec<Item>,
}

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.time);
        out.number(self.base);
        out.number(self.writer);
        out.number(self.step);
        out.option(self.chunk.map(u64::from));
        out.number(self.items.len() as u64);
        for item in &self.items {
            item.write(self.time, &mut out);
        }
        out.seal()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut from = Reader::open(bytes);
        let (time, base) = (from.number(), from.number());
        let (writer, step) = (from.number(), from.number());
        let chunk = from.option(u64::from(limits::CHUNK_LOG_MAX), "chunk").map(|log| log as u8);
        let count = from.count(limits::RECORD_ITEMS_MAX);
        let mut items = Vec::with_capacity(count);
        let mut messages = 0;
        while items.len() < count && !from.failed() {
            let item = Item::read(time, &mut from);
            if let Item::Send(send) = &item {
                messages += u64::from(send.sizes.count());
            }
            items.push(item);
        }
        from.end()?;
        if time > TIME_MAX || messages > u64::from(MessageId::INDEX_MAX) + 1 {
            return Err(FormatError::Corrupt("record"));
        }
        Ok(Self { time, base, writer, step, chunk, items })
    }
}
