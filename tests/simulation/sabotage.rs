//! Rules broken on purpose, to see that the checks bite.

use posthaste::{
    engine::{Engine, State},
    format::{Item, Record},
};

use super::{
    history::History,
    store::{Store, Tail},
};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sabotage {
    None,
    /// A settlement stands whatever lease it names.
    AnyGrant,
    /// Leases are given on what is leased.
    TwoHolders,
    /// A commit is confirmed and gone.
    LostCommit,
    /// Clean-up deletes the bodies of a message that is still there.
    GreedyCleanUp,
    /// A peer skips a record.
    SkippedRecord,
}

impl Sabotage {
    /// May change what a step says. True when it did.
    pub fn record(self, bytes: &mut Vec<u8>, history: &History) -> bool {
        if self != Self::AnyGrant {
            return false;
        }
        let Ok(mut record) = Record::decode(bytes) else {
            return false;
        };
        for item in &mut record.items {
            let Item::Settle { queue, first, grant, .. } = item else {
                continue;
            };
            let run = history.engine.queue(*queue).and_then(|queue| queue.find(*first));
            if let Some(State::Leased { grant: current, .. }) = run.map(|(_, run)| run.state) {
                *grant = current;
            }
        }
        let honest = std::mem::replace(bytes, record.encode());
        honest != *bytes
    }

    /// May lose what was just committed.
    pub fn committed(self, store: &mut Store, number: u64) {
        if self == Self::LostCommit && number.is_multiple_of(9) {
            store.damage(number);
        }
    }

    /// May delete more than it should with a snapshot.
    pub fn cleaned(self, store: &mut Store, engine: &Engine) {
        if self == Self::GreedyCleanUp
            && let Some(number) = engine.live_records().first()
        {
            store.damage(*number);
        }
    }

    /// May hide what others wrote.
    pub fn read(self, tail: &mut Tail) {
        if self == Self::SkippedRecord && tail.records.len() > 2 {
            tail.records.remove(1);
        }
    }
}
