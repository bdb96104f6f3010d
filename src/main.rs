//! rpod: containers for unprivileged users.

fn main() {}
