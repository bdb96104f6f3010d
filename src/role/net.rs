//! The net process: the user's shared network namespace and who is on it.
//!
//! The order of its start, each step with the reason for its place:
//! 1. Its name, so that `ps` tells it from the start.
//! 2. The fence around its files, for both threads.
//! 3. The thread of the way out, while we are in the machine's namespace: it stays there.
//! 4. The network namespace: a new one, or that of a predecessor that was killed.
//! 5. What all bridges need; each is made when its first member comes.
//! 6. The device of the way out, without which the networks are there all the same, and
//!    the sockets at which containers ask for names.
//! 7. The socket: from here on clients are heard.
//! 8. "Ready" to whoever started it; a failure of any step goes the same way.
//! 9. The fence around its system calls, when all that needs others is done.
//!
//! Lives here: that order.
//! Must not: decide an address or answer a client (`dataplane::switch`).
//! Called by: `ops::launch` and `role::monitor`, in a process with one thread that is root, with all
//! capabilities, in the user namespace that is to own the network; detached from
//! its starter's session and terminal.
//! Always true: it ends by itself when nobody is on the network, and where it cannot
//! read any more which resolvers the machine has, for another in its place.

use crate::dataplane::control::NetJob;
use crate::dataplane::dns::message::Question;
use crate::dataplane::dns::{self, Names, Upstreams, table};
use crate::dataplane::link;
use crate::dataplane::register::Register;
use crate::dataplane::switch::Switch;
use crate::dataplane::uplink::Uplink;
use crate::error::{Context, Error, Result};
use crate::process::userns;
use crate::role::fence;
use crate::sys::{memory, net};

/// Where the machine's name servers are told.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Does the job and returns the exit status of the process.
pub fn main(job: NetJob) -> u8 {
    drop(net::set_name(c"rpod-net"));
    match start(&job) {
        Ok((mut switch, lack)) => {
            job.ready.tell(&Ok(lack));
            // A kernel without filters still has a network.
            drop(fence::calls());
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

/// A fence is for ever. The machine's resolvers are told in a place by now that was not
/// let in, as when a VPN has put a link there: a process begun now lets it in. The
/// monitors start it as they do when one was killed, and containers keep all they have
/// with each other.
#[allow(clippy::exit, reason = "from the thread of the way out, and at once")]
fn leave_to_another() {
    std::process::exit(0);
}

fn start(job: &NetJob) -> Result<(Switch, Option<Error>)> {
    fence::files(&job.runtime, RESOLV_CONF.as_ref())?;
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
    let lack = uplink.open().err();
    let listeners = dns::listen().what(|| "cannot answer names at the gateways")?;
    let register = Register::default();
    let known = register.clone();
    let find = move |client, question: &Question| table::find(&known.read(), client, question);
    let mut upstreams = Upstreams::of(RESOLV_CONF);
    if job.comes_back {
        upstreams = upstreams.when_out_of_reach(leave_to_another);
    }
    uplink.add(Box::new(Names::new(listeners, upstreams, find)));
    Ok((Switch::serve(&job.runtime, register, uplink)?, lack))
}
