//! The trait through which long work speaks and doors draw.
//!
//! Lives here: [`Progress`] and its silent form.
//! Must not: know a terminal, a colour or a verb.
//! Called by: `ops`, `image`, `build`; implemented by `cli/render`.
//! Always true: every method may be called from any thread, in any order, and
//! none of them fails: work never stops because nobody can see it.

/// A step of long work, such as one layer of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step(pub u64);

/// Receives what long work has to say.
pub trait Progress: Send + Sync {
    /// One line that is said once, at a terminal and elsewhere ("latest: Pulling from library/busybox").
    fn line(&self, text: &str);

    /// A step begins: a short name ("213a27df5921"), what is done ("Downloading") and its size in bytes, when known.
    fn begin(&self, name: &str, doing: &str, total: Option<u64>) -> Step;

    /// A step goes on to something else ("Extracting"), counting from 0 again.
    fn turn(&self, step: Step, doing: &str, total: Option<u64>);

    /// So many bytes more of a step are done.
    fn advance(&self, step: Step, bytes: u64);

    /// A step has ended, with its last words ("Pull complete").
    fn end(&self, step: Step, last: &str);

    /// Something the user should know, though the work goes on.
    fn warn(&self, text: &str);
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn line(&self, _: &str) {}
    fn begin(&self, _: &str, _: &str, _: Option<u64>) -> Step {
        Step(0)
    }
    fn turn(&self, _: Step, _: &str, _: Option<u64>) {}
    fn advance(&self, _: Step, _: u64) {}
    fn end(&self, _: Step, _: &str) {}
    fn warn(&self, _: &str) {}
}
