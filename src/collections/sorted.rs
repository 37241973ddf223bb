//! Things by number, where there are few, or new numbers are mostly the highest: a vector in the order of the numbers.
//!
//! Each kind of `BTreeMap` is 4 KB of wasm; this is a twentieth of it.

/// A map from numbers that keeps their order.
#[derive(Clone, PartialEq, Debug)]
pub struct Sorted<T>(Vec<(u32, T)>);

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Sorted<T> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the number is, or belongs.
    fn place(&self, number: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(known, _)| *known)
    }

    pub fn get(&self, number: u32) -> Option<&T> {
        Some(&self.0[self.place(number).ok()?].1)
    }

    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let at = self.place(number).ok()?;
        Some(&mut self.0[at].1)
    }

    /// What is there, else `fresh`, which is there from now on.
    pub fn get_or_insert(&mut self, number: u32, fresh: T) -> &mut T {
        let at = match self.place(number) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (number, fresh));
                at
            }
        };
        &mut self.0[at].1
    }

    pub fn remove(&mut self, number: u32) -> Option<T> {
        let at = self.place(number).ok()?;
        Some(self.0.remove(at).1)
    }

    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.0.retain(|(_, thing)| keep(thing));
    }

    pub fn iter(&self) -> core::slice::Iter<'_, (u32, T)> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> core::slice::IterMut<'_, (u32, T)> {
        self.0.iter_mut()
    }
}
