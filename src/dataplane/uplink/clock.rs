//! When which flow is to be looked at again.
//!
//! Lives here: [`Clock`], the moments in order, and [`Alarm`], a flow's own.
//! Must not: read the time.
//! Called by: the rest of `dataplane::uplink`.
//! Always true: a flow has one place in the order at most; putting a moment off
//! costs nothing until the earlier one comes.

use std::collections::BTreeSet;
use std::time::Instant;

/// The moments of all flows.
#[derive(Debug, Default)]
pub struct Clock(BTreeSet<(Instant, u64)>);

impl Clock {
    /// Returns the first.
    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes out one that has come.
    pub fn pop(&mut self, now: Instant) -> Option<u64> {
        match self.0.first() {
            Some((at, _)) if *at <= now => self.0.pop_first().map(|(_, token)| token),
            _ => None,
        }
    }
}

/// A flow's moment.
#[derive(Debug, Default)]
pub struct Alarm {
    due: Option<Instant>,
    /// Where in the clock's order it is: never later than due.
    queued: Option<Instant>,
}

impl Alarm {
    /// Sets it, whatever it was.
    pub fn set(&mut self, due: Instant, token: u64, clock: &mut Clock) {
        self.due = Some(due);
        if self.queued.is_some_and(|queued| queued <= due) {
            return;
        }
        if let Some(queued) = self.queued {
            clock.0.remove(&(queued, token));
        }
        clock.0.insert((due, token));
        self.queued = Some(due);
    }

    /// Ends it.
    pub fn end(&mut self, token: u64, clock: &mut Clock) {
        self.due = None;
        if let Some(queued) = self.queued.take() {
            clock.0.remove(&(queued, token));
        }
    }

    /// Says, of one that the clock gave out, whether its moment has come; else it is put off.
    pub fn rings(&mut self, now: Instant, token: u64, clock: &mut Clock) -> bool {
        self.queued = None;
        match self.due {
            Some(due) if due <= now => {
                self.due = None;
                true
            }
            Some(due) => {
                clock.0.insert((due, token));
                self.queued = Some(due);
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Alarm, Clock};

    #[test]
    fn an_alarm_is_queued_once_however_often_it_is_set() {
        let (mut clock, mut alarm) = (Clock::default(), Alarm::default());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [500, 900, 700, 100, 800, 50, 600] {
            alarm.set(at(ms), 7, &mut clock);
            assert_eq!(clock.0.len(), 1, "{ms}");
        }
        assert_eq!(clock.next(), Some(at(50)));
        assert_eq!(clock.pop(at(49)), None);
        assert_eq!(clock.pop(at(60)), Some(7));
        assert!(!alarm.rings(at(60), 7, &mut clock), "put off to 600");
        assert_eq!(clock.pop(at(600)), Some(7));
        assert!(alarm.rings(at(600), 7, &mut clock));
        assert_eq!(clock.next(), None);
        alarm.set(at(1000), 7, &mut clock);
        alarm.end(7, &mut clock);
        assert_eq!(clock.next(), None);
    }
}
