//! The ports process: a container's published ports.
//!
//! The order of its start, each step with the reason for its place:
//! 1. Its name, so that `ps` tells it from the start.
//! 2. The container's network namespace. The listeners came with the job and
//!    stay the machine's; every socket made from here on is the container's.
//! 3. The rules that let clients keep their addresses. Where the kernel has
//!    none, connections are made in the container's own name.
//! 4. The fence, when all that needs files and namespaces is done.
//! 5. The streams and datagrams, until the container has gone.
//!
//! Lives here: that order.
//! Must not: move a byte (`dataplane::relay`, `dataplane::datagram`).
//! Called by: `role::monitor`, in a process with one thread that has all
//! capabilities over the container's network namespace.
//! Always true: it ends when the other end of its control pipe is closed.

use crate::dataplane::link;
use crate::dataplane::publish::PortsJob;
use crate::dataplane::relay::Relay;
use crate::role::fence;
use crate::sys::{memory, net};

/// Does the job and returns the exit status of the process.
pub fn main(mut job: PortsJob) -> u8 {
    drop(net::set_name(c"rpod-ports"));
    if net::enter_network(&job.network).is_err() {
        return 1;
    }
    let udp = job.bound.udp_ports();
    let v4 = job.endpoint.v4;
    let transparent = link::transparent(v4.ip.into(), v4.gateway.into(), &udp).is_ok();
    // Clients by IPv6 have no address to keep without the rules, and come by IPv4.
    job.endpoint.v6 = job
        .endpoint
        .v6
        .filter(|v6| link::transparent(v6.ip.into(), v6.gateway.into(), &udp).is_ok());
    let served =
        Relay::new(job.bound, &job.endpoint, transparent, job.control).and_then(|mut relay| {
            memory::slim_down();
            // A kernel without filters still has ports.
            drop(fence::ports());
            relay.run()
        });
    u8::from(served.is_err())
}
