//! Pairs of numbers in their order: where runs lie, when timers fire, what keys sum up to.
//!
//! Sorted, in chunks: to put one in moves a chunk's pairs, and now and then the list of chunks, which stays fast up to
//! millions. A B-tree is no faster for these, and 5 KB more wasm.

/// Pairs of one chunk, at most.
const CHUNK: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// None is empty.
    chunks: Vec<Vec<(u64, u64)>>,
}

impl Pairs {
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Where the first pair is that is not less than this one: its chunk, and its place there.
    fn place(&self, pair: (u64, u64)) -> (usize, usize) {
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| *last < pair));
        (chunk, self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(|other| *other < pair)))
    }

    /// Puts in a pair that is not there.
    pub fn insert(&mut self, pair: (u64, u64)) {
        let (mut chunk, mut at) = self.place(pair);
        // What is greater than all goes behind the last.
        if chunk > 0 && chunk == self.chunks.len() {
            (chunk, at) = (chunk - 1, self.chunks[chunk - 1].len());
        }
        match self.chunks.get_mut(chunk) {
            Some(pairs) if pairs.len() == CHUNK => {
                // Pairs mostly come in their order: a chunk that is added to at its end stays full.
                let middle = if at == CHUNK { CHUNK } else { CHUNK / 2 };
                let mut rest = pairs.split_off(middle);
                if at > middle || middle == CHUNK {
                    rest.insert(at - middle, pair);
                } else {
                    pairs.insert(at, pair);
                }
                self.chunks.insert(chunk + 1, rest);
            }
            Some(pairs) => pairs.insert(at, pair),
            None => self.chunks.push(vec![pair]),
        }
    }

    pub fn remove(&mut self, pair: (u64, u64)) {
        let (chunk, at) = self.place(pair);
        let Some(pairs) = self.chunks.get_mut(chunk) else {
            return;
        };
        if pairs.get(at) == Some(&pair) {
            pairs.remove(at);
        }
        if pairs.is_empty() {
            self.chunks.remove(chunk);
        }
    }

    pub fn has(&self, pair: (u64, u64)) -> bool {
        self.from(pair).next() == Some(pair)
    }

    /// The pairs that are not less than this one.
    pub fn from(&self, pair: (u64, u64)) -> From<'_> {
        let (chunk, at) = self.place(pair);
        From { pairs: self, chunk, at }
    }

    /// The last pair that is less than this one.
    pub fn before(&self, pair: (u64, u64)) -> Option<(u64, u64)> {
        match self.place(pair) {
            (0, 0) => None,
            (chunk, 0) => self.chunks[chunk - 1].last().copied(),
            (chunk, at) => Some(self.chunks[chunk][at - 1]),
        }
    }
}

/// The same pairs; in which chunks they lie is their own business.
impl PartialEq for Pairs {
    fn eq(&self, other: &Self) -> bool {
        self.from((0, 0)).eq(other.from((0, 0)))
    }
}

/// Pairs one behind the other.
pub struct From<'a> {
    pairs: &'a Pairs,
    chunk: usize,
    at: usize,
}

impl Iterator for From<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let chunk = self.pairs.chunks.get(self.chunk)?;
        let pair = chunk.get(self.at).copied();
        self.at += 1;
        if self.at >= chunk.len() {
            (self.chunk, self.at) = (self.chunk + 1, 0);
        }
        pair
    }
}
