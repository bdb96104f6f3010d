//! The net process: the user's shared network namespace and who is on it.
//!
//! The order of its start, each step with the reason for its place:
//! 1. Its name, so that `ps` tells it from the start.
//! 2. The thread of the way out, while we are in the machine's namespace: it stays there.
//! 3. The network namespace: a new one, or that of a predecessor that was killed.
//! 4. What all bridges need; each is made when its first member comes.
//! 5. The device of the way out, without which the networks are there all the same, and
//!    the sockets at which containers ask for names.
//! 6. The socket: from here on clients are heard.
//! 7. "Ready" to whoever started it; a failure of any step goes the same way.
//!
//! Lives here: that order.
//! Must not: decide an address or answer a client (`dataplane::switch`).
//! Called by: `ops::launch` and `role::monitor`, in a process with one thread that is root, with all
//! capabilities, in the user namespace that is to own the network; detached from
//! its starter's session and terminal.
//! Always true: it ends by itself when nobody is on the network.

use crate::dataplane::control::NetJob;
use crate::dataplane::dns::message::Question;
use crate::dataplane::dns::{self, Names, table};
use crate::dataplane::link;
use crate::dataplane::register::Register;
use crate::dataplane::switch::Switch;
use crate::dataplane::uplink::{self, Uplink};
use crate::error::{Context, Result};
use crate::process::userns;
use crate::sys::{memory, net};

/// Where the machine's name servers are told.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Does the job and returns the exit status of the process.
pub fn main(job: NetJob) -> u8 {
    drop(net::set_name(c"rpod-net"));
    match start(&job) {
        Ok(mut switch) => {
            job.ready.tell(&Ok(()));
            memory::slim_down();
            drop(job.adopt);
            u8::from(switch.run().is_err())
        }
        Err(error) => {
            let error = userns::explain_denied(error);
            job.ready.tell(&Err(error.what("cannot make the network")));
            1
        }
    }
}

fn start(job: &NetJob) -> Result<Switch> {
    let uplink = Uplink::start().what(|| "cannot start the thread of the way out")?;
    match &job.adopt {
        Some(network) => net::enter_network(network)
            .what(|| "cannot join the network namespace of the one before")?,
        None => net::unshare_network()
            .what(|| "cannot make a network namespace")
            .hint(
                || "an administrator may have set its limit to 0: `sysctl user.max_net_namespaces`",
            )?,
    }
    link::prepare()?;
    if let Ok(device) = uplink::make_device() {
        uplink.attach(device);
    }
    let listeners = dns::listen().what(|| "cannot answer names at the gateways")?;
    let register = Register::default();
    let known = register.clone();
    let find = move |client, question: &Question| table::find(&known.read(), client, question);
    uplink.add(Box::new(Names::new(listeners, RESOLV_CONF.into(), find)));
    Switch::serve(&job.runtime, register, uplink)
}
