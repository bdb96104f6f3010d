//! Flows by place and by key.
//!
//! Lives here: [`Table`].
//! Must not: know what a flow is.
//! Called by: the rest of `dataplane::uplink`.
//! Always true: a [`Place`] is one flow's for ever; an event for one that has
//! ended finds nobody, also when its slot is another's.

use std::collections::HashMap;
use std::hash::Hash;

/// Where a flow is, and which of those that were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its slot; at most 28 bits.
    pub slot: usize,
    /// Its number.
    pub generation: u32,
}

/// The flows of one kind.
#[derive(Debug)]
pub struct Table<K, V> {
    slots: Vec<Option<(u32, K, V)>>,
    free: Vec<usize>,
    by_key: HashMap<K, usize>,
    generation: u32,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            generation: 0,
        }
    }
}

impl<K: Hash + Eq + Copy, V> Table<K, V> {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Returns the place that the next flow gets, so that its descriptors can be
    /// waited for before it is here.
    pub fn next(&self) -> Place {
        Place {
            slot: self.free.last().copied().unwrap_or(self.slots.len()),
            generation: self.generation,
        }
    }

    /// Puts a flow at [`Table::next`].
    pub fn insert(&mut self, key: K, flow: V) -> Place {
        let place = self.next();
        self.generation = self.generation.wrapping_add(1);
        if self.free.pop().is_none() {
            self.slots.push(None);
        }
        self.slots[place.slot] = Some((place.generation, key, flow));
        self.by_key.insert(key, place.slot);
        place
    }

    /// Finds a flow's place.
    pub fn find(&self, key: &K) -> Option<Place> {
        let slot = *self.by_key.get(key)?;
        let (generation, ..) = self.slots.get(slot)?.as_ref()?;
        Some(Place {
            slot,
            generation: *generation,
        })
    }

    /// Returns a flow and its key.
    pub fn get_mut(&mut self, place: Place) -> Option<(&K, &mut V)> {
        match self.slots.get_mut(place.slot)?.as_mut()? {
            (generation, key, flow) if *generation == place.generation => Some((key, flow)),
            _ => None,
        }
    }

    /// Takes a flow out.
    pub fn remove(&mut self, place: Place) -> Option<(K, V)> {
        self.get_mut(place)?;
        let (_, key, flow) = self.slots.get_mut(place.slot)?.take()?;
        self.by_key.remove(&key);
        if self.by_key.is_empty() {
            // What a burst has taken is given back.
            self.slots = Vec::new();
            self.free = Vec::new();
            self.by_key = HashMap::new();
        } else {
            self.free.push(place.slot);
        }
        Some((key, flow))
    }

    /// Returns all flows and their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let slots = self.slots.iter().flatten();
        slots.map(|(_, key, flow)| (key, flow))
    }

    /// Returns the places of the flows that are as asked.
    pub fn places(&self, mut wanted: impl FnMut(&K, &V) -> bool) -> Vec<Place> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter_map(|(slot, entry)| {
                let (generation, key, flow) = entry.as_ref()?;
                wanted(key, flow).then_some(Place {
                    slot,
                    generation: *generation,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn who_has_gone_is_not_found_by_its_place() {
        let mut table = Table::default();
        let expected = table.next();
        let one = table.insert("one", 1);
        assert_eq!(one, expected);
        let two = table.insert("two", 2);
        assert_eq!(table.find(&"one"), Some(one));
        assert_eq!(table.remove(one), Some(("one", 1)));
        assert_eq!(table.remove(one), None);
        let three = table.insert("three", 3);
        assert_eq!(three.slot, one.slot);
        assert!(table.get_mut(one).is_none());
        assert_eq!(table.places(|_, n| *n > 2), [three]);
        table.remove(two);
        table.remove(three);
        assert_eq!((table.len(), table.slots.capacity()), (0, 0));
        let four = table.insert("four", 4);
        assert!(table.get_mut(one).is_none() && table.get_mut(four).is_some());
    }
}
