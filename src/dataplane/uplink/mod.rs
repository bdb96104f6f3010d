//! The way out: containers' packets become the machine's own sockets.
//!
//! ```text
//! container        shared namespace                this thread, in the machine's namespace
//! eth0 ── veth ── bridge ── route ── uplink (TUN) ══ frames ══ flows ══ sockets ── the world
//! ```
//!
//! The thread is started while the net process is still in the machine's
//! network namespace, and stays there when the rest of the process leaves it
//! (unshare(2) of a network namespace is a thread's own). So every socket it
//! makes is the machine's, made at the moment a flow begins: the kernel chooses
//! route and address as they are then, and nothing of the machine is remembered
//! that could be stale when it roams.
//!
//! **Streams** ([`tcp`]). A SYN becomes connect(2), and is answered only when
//! that has succeeded; a refusal is answered as one, no way by ICMP, silence by
//! silence. From then on the kernel's socket is the transport and the other
//! side mirrors it: what comes from inside is sent at once and acknowledged when
//! the socket has taken it, and no more is invited than the socket has room for;
//! what comes from outside stays in the socket's own queue until the container
//! has acknowledged it (`MSG_PEEK`), so nothing is kept to be sent again.
//!
//! **Datagrams** ([`udp`]). One socket for each address and port inside,
//! whomever it speaks to; who has not been spoken to is not heard. What ICMP
//! reports of one is reported inside.
//!
//! **Echoes** ([`echo`]). Ping by the kernel's ping sockets, where the machine
//! lets the user have them (`net.ipv4.ping_group_range`).
//!
//! **The machine itself** is the gateway's address, see [`reach`].
//!
//! Lives here: the thread's beginning, and the main thread's handle of it.
//! Must not: make a bridge or know a container.
//! Called by: `role::net`, `dataplane::switch`.
//! Always true: nothing a container sends makes it panic, wait, or grow beyond
//! bounds: flows are counted, each holds a bounded number of bytes, and all
//! numbers from outside are checked before they are used. Without flows it
//! sleeps without end.

mod clock;
mod device;
mod echo;
mod flow;
mod fragments;
#[cfg(any(test, fuzzing))]
pub mod hostile;
mod reach;
mod serve;
mod table;
mod tcp;
mod udp;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::dataplane::link;
use crate::error::{Context, Result};
use crate::network::plan::Plan;
use crate::sys::epoll::{Epoll, Interest};

pub use device::{DEVICE, lack};
pub use flow::Flow;
use reach::Network;

/// Something else that the thread waits for, such as a resolver's sockets. Its
/// methods are called on the thread, in the machine's network namespace, and
/// must not wait.
pub trait Source: Send {
    /// Begins: sockets are made and waited for.
    fn begin(&mut self, waits: &Waits<'_>);
    /// A descriptor it waits for is ready.
    fn ready(&mut self, token: u32, events: Interest, waits: &Waits<'_>);
    /// Returns until when there is nothing to do by itself.
    fn deadline(&self) -> Option<Instant>;
    /// The deadline has come.
    fn expired(&mut self, now: Instant, waits: &Waits<'_>);
}

/// How a [`Source`] waits for descriptors.
pub struct Waits<'a> {
    epoll: &'a Epoll,
    index: u16,
}

impl Waits<'_> {
    /// Waits for a descriptor; [`Source::ready`] is called with `token`. Closing
    /// its last copy ends that.
    pub fn add(
        &self,
        fd: &impl std::os::fd::AsFd,
        token: u32,
        interest: Interest,
    ) -> io::Result<()> {
        let token = serve::Token::Source(self.index, token).pack();
        self.epoll.add(fd, token, interest)
    }
}

/// What the main thread tells the other.
enum Order {
    Device(OwnedFd),
    Source(Box<dyn Source>),
    Serve(Network),
    Withdraw(Network),
    Loopback(IpAddr),
    Forget(IpAddr),
    List(Sender<Vec<Flow>>),
    Count(Sender<HashMap<IpAddr, u64>>),
}

/// How long the thread may take to say something: it is never busy for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The main thread's handle. The thread ends with the process.
#[derive(Clone, Debug)]
pub struct Uplink {
    orders: Sender<Order>,
    bell: Arc<OwnedFd>,
}

impl Uplink {
    /// Starts the thread, in the network namespace that the caller is in now.
    pub fn start() -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (orders, heard) = mpsc::channel();
        let mut served = serve::Serve::new(heard, bell.clone())?;
        std::thread::Builder::new()
            .name("rpod-net-out".into())
            .stack_size(256 * 1024)
            .spawn(move || served.run())?;
        Ok(Self { orders, bell })
    }

    /// Makes the device in the calling thread's namespace, which is the shared
    /// one, and answers its frames. Without it the network is one all the same.
    ///
    /// # Errors
    /// What is missing, and what mends it.
    pub fn open(&self) -> Result<()> {
        let device = device::make()
            .map_err(device::explain)
            .what(|| "containers reach each other and are reached, but reach nothing outside")?;
        self.order(Order::Device(device));
        Ok(())
    }

    /// Adds something else to wait for.
    pub fn add(&self, source: Box<dyn Source>) {
        self.order(Order::Source(source));
    }

    /// Lets the addresses of a network out, and its gateway stand for this
    /// machine. Called in the shared namespace, when it has the device.
    pub fn serve(&self, plan: &Plan) -> Result<()> {
        self.order(Order::Serve(Network::of(plan)));
        link::gateway_leads_out(device::DEVICE, plan)
    }

    /// Lets the addresses of a network out no longer: it has gone.
    pub fn withdraw(&self, plan: &Plan) {
        self.order(Order::Withdraw(Network::of(plan)));
    }

    /// Lets an address inside reach the machine's loopback through its gateway,
    /// until it is forgotten.
    pub fn allow_loopback(&self, inside: IpAddr) {
        self.order(Order::Loopback(inside));
    }

    /// Ends the flows of an address whose container has gone, and what it was allowed.
    pub fn forget(&self, inside: IpAddr) {
        self.order(Order::Forget(inside));
    }

    /// Lists the flows there are, in the order of their ends.
    pub fn flows(&self) -> Vec<Flow> {
        let (tell, heard) = mpsc::channel();
        self.order(Order::List(tell));
        let mut flows = heard.recv_timeout(PATIENCE).unwrap_or_default();
        flows.sort_by_key(|flow| (flow.inside, flow.peer));
        flows
    }

    /// Counts the flows of each address inside.
    pub fn counts(&self) -> HashMap<IpAddr, u64> {
        let (tell, heard) = mpsc::channel();
        self.order(Order::Count(tell));
        heard.recv_timeout(PATIENCE).unwrap_or_default()
    }

    fn order(&self, order: Order) {
        // The other end is there as long as the process is.
        if self.orders.send(order).is_ok() {
            rustix::io::write(&*self.bell, &1_u64.to_ne_bytes()).ok();
        }
    }
}
