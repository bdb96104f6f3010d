//! Archives, good and hostile.
//! Lives here: tests only.
//! Must not: touch the user's own store.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.


