//! Whose turn it is: what one container asks for without end, no other waits behind.
//!
//! What begins streams waits in [`Turns`], each source behind its own, and one of each
//! source is begun after the other. All else that is no stream's is done as it comes, up to
//! its source's share ([`Shares`]) of what comes without a pause; what is beyond is dropped
//! before anything is done for it, so that the device's queue is emptied faster than
//! anybody can fill it, and holds the next of all others.
//!
//! Lives here: both.
//! Must not: know what is asked for.
//! Called by: `dataplane::uplink::serve`.
//! Always true: of all sources together no more than [`ALL`] wait, and [`LEAST`] of
//! each of [`SOURCES`] besides.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// How many may wait; each source may have an even part of them.
const ALL: usize = 4096;

/// How many of one source may wait in any case.
const LEAST: usize = 16;

/// Of how many sources some may wait.
const SOURCES: usize = 1024;

/// What may be done for one source until there has been a pause.
const SHARE: u32 = 512;

/// What waits, by its source.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: HashMap<IpAddr, VecDeque<T>>,
    /// Those of whom some wait, in their order.
    order: VecDeque<IpAddr>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Turns<T> {
    /// Says whether none waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Lets one more wait, or not: a source that has its part waiting already asks again.
    pub fn add(&mut self, source: IpAddr, what: T) {
        let part = (ALL / self.order.len().max(1)).max(LEAST);
        match self.waiting.get_mut(&source) {
            Some(own) if own.len() >= part => {}
            Some(own) => own.push_back(what),
            None if self.order.len() >= SOURCES => {}
            None => {
                self.waiting.insert(source, VecDeque::from([what]));
                self.order.push_back(source);
            }
        }
    }

    /// Takes out the one whose turn it is.
    pub fn next(&mut self) -> Option<T> {
        let source = self.order.pop_front()?;
        let own = self.waiting.get_mut(&source)?;
        let what = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&source);
        } else {
            self.order.push_back(source);
        }
        what
    }

    /// Takes out all of one source.
    pub fn forget(&mut self, source: IpAddr) {
        if self.waiting.remove(&source).is_some() {
            self.order.retain(|other| *other != source);
        }
    }
}

/// What has been done for each source since the last pause.
#[derive(Debug, Default)]
pub struct Shares(HashMap<IpAddr, u32>);

impl Shares {
    /// Says whether so much more may be done for a source.
    pub fn spend(&mut self, source: IpAddr, cost: u32) -> bool {
        if self.0.len() >= SOURCES && !self.0.contains_key(&source) {
            return false;
        }
        let spent = self.0.entry(source).or_default();
        if *spent >= SHARE {
            return false;
        }
        *spent += cost;
        true
    }

    /// There is a pause: all that has come is done.
    pub fn renew(&mut self) {
        if !self.0.is_empty() {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{ALL, LEAST, SHARE, SOURCES, Shares, Turns};

    fn source(number: usize) -> IpAddr {
        IpAddr::from((number as u32 + 0xac11_0002).to_be_bytes())
    }

    #[test]
    fn each_source_has_its_turn_whatever_waits_of_others() {
        let mut turns = Turns::default();
        for number in 0..2 * ALL {
            turns.add(source(0), (0, number));
        }
        turns.add(source(1), (1, 0));
        turns.add(source(2), (2, 0));
        turns.add(source(1), (1, 1));
        let first: Vec<_> = std::iter::from_fn(|| turns.next()).take(7).collect();
        assert_eq!(
            first,
            [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2), (0, 3)]
        );
        turns.forget(source(0));
        assert!(turns.is_empty() && turns.next().is_none());
    }

    #[test]
    fn nobody_fills_the_memory_with_what_waits() {
        let mut turns = Turns::default();
        for number in 0..2 * SOURCES {
            for _ in 0..2 * ALL / SOURCES + LEAST {
                turns.add(source(number), number);
            }
        }
        // Who was there alone has more than his part now, and gets no more.
        for _ in 0..2 * ALL {
            turns.add(source(0), 0);
        }
        let mut taken = vec![0; 2 * SOURCES];
        while let Some(number) = turns.next() {
            taken[number] += 1;
        }
        assert!(taken[SOURCES - 1] == LEAST && taken[SOURCES] == 0);
        assert!(taken.iter().sum::<usize>() <= ALL + LEAST * SOURCES);
    }

    #[test]
    fn who_has_spent_his_share_waits_for_a_pause_and_no_other_does() {
        let mut shares = Shares::default();
        let done = (0..2 * SHARE).filter(|_| shares.spend(source(0), 2));
        assert_eq!(done.count() as u32, SHARE / 2);
        assert!(shares.spend(source(1), 1));
        shares.renew();
        assert!(shares.spend(source(0), 1));
        for number in 0..2 * SOURCES {
            shares.spend(source(number), 1);
        }
        assert!(shares.0.len() <= SOURCES);
    }
}
