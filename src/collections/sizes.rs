//! How large messages are that were sent together: one number while they are alike, else a list that their parts share.

use std::rc::Rc;

/// The sizes of so many messages, in their order.
#[derive(Clone, Debug)]
pub struct Sizes {
    count: u32,
    each: Each,
}

#[derive(Clone, Debug)]
enum Each {
    Alike(u64),
    /// Where each message of the list ends when they lie one behind the other. These begin at place `from`.
    Differing {
        ends: Rc<[u64]>,
        from: usize,
    },
}

/// As one number where they are alike.
impl FromIterator<u64> for Sizes {
    fn from_iter<T: IntoIterator<Item = u64>>(sizes: T) -> Self {
        let (mut ends, mut sum, mut first, mut alike) = (Vec::new(), 0u64, 0, true);
        for size in sizes {
            first = if ends.is_empty() { size } else { first };
            alike &= size == first;
            sum = sum.saturating_add(size);
            ends.push(sum);
        }
        let count = ends.len() as u32;
        if alike {
            return Self::alike(count, first);
        }
        Self { count, each: Each::Differing { ends: ends.into(), from: 0 } }
    }
}

impl Sizes {
    pub fn alike(count: u32, size: u64) -> Self {
        Self { count, each: Each::Alike(size) }
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of all together.
    pub fn total(&self) -> u64 {
        self.of_front(self.count)
    }

    /// Bytes of the first `front` together.
    fn of_front(&self, front: u32) -> u64 {
        match &self.each {
            Each::Alike(size) => size.saturating_mul(front.into()),
            Each::Differing { ends, from } => end(ends, from + front as usize) - end(ends, *from),
        }
    }

    /// Bytes of the one at `place`, which is there.
    pub fn at(&self, place: u32) -> u64 {
        match &self.each {
            Each::Alike(size) => *size,
            Each::Differing { .. } => self.of_front(place + 1) - self.of_front(place),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.count).map(|place| self.at(place))
    }

    /// How many of the first have no more than `free` bytes together.
    pub fn fitting(&self, free: u64) -> u32 {
        match &self.each {
            Each::Alike(0) => self.count,
            Each::Alike(size) => (free / size).min(self.count.into()) as u32,
            Each::Differing { ends, from } => {
                let most = end(ends, *from).saturating_add(free);
                ends[*from..][..self.count as usize].partition_point(|end| *end <= most) as u32
            }
        }
    }

    /// How many there are, from the first on, that are each larger than `limit`, or (`over` false) each are not; it looks at
    /// the first `most`.
    pub fn leading(&self, over: bool, limit: u64, most: u32) -> u32 {
        let most = most.min(self.count);
        match &self.each {
            Each::Alike(size) if (*size > limit) == over => most,
            Each::Alike(_) => 0,
            Each::Differing { .. } => (0..most).find(|place| (self.at(*place) > limit) != over).unwrap_or(most),
        }
    }

    /// Takes off the first `front`. A part that is short keeps no long list: each size is copied a few times at most, however
    /// often it is cut.
    pub fn split_front(&mut self, front: u32) -> Self {
        let head = self.part(0, front);
        *self = self.part(front, self.count - front);
        head
    }

    pub fn append(&mut self, more: &Self) {
        *self = self.iter().chain(more.iter()).collect();
    }

    fn part(&self, first: u32, count: u32) -> Self {
        let Each::Differing { ends, from } = &self.each else {
            return Self { count, each: self.each.clone() };
        };
        if count as usize * 2 <= ends.len() {
            return (first..first + count).map(|place| self.at(place)).collect();
        }
        Self { count, each: Each::Differing { ends: ends.clone(), from: from + first as usize } }
    }

    /// Whether one number says it all.
    pub fn are_alike(&self) -> bool {
        matches!(self.each, Each::Alike(_)) || self.iter().all(|size| size == self.at(0))
    }
}

/// Where the message before `place` ends.
fn end(ends: &[u64], place: usize) -> u64 {
    place.checked_sub(1).map_or(0, |before| ends[before])
}

/// The same sizes; how they are kept is their own business.
impl PartialEq for Sizes {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}
