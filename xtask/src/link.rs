//! A TCP link on 127.0.0.1 that can be cut and healed.
//!
//! Cut, it is a cable that is pulled out: nothing passes and nothing is closed. What was sent waits and passes once the link is healed, as
//! if the sender's kernel had sent it again; whoever does not want to wait for that has to notice the silence.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// Bytes that are passed on at once.
const CHUNK: usize = 16 * 1024;

/// See the module. It ends on drop, with its connections.
pub(crate) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    to: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    has_ended: bool,
    /// Both sides of each connection so far: only closing them ends threads that read.
    streams: Vec<TcpStream>,
}

impl Link {
    /// Listens on a port of its own, and connects whoever comes with `to`.
    pub(crate) fn before(to: SocketAddr) -> Result<Link> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for a link")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { to, state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if accepting.state().has_ended {
                    break;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.connect(near));
            }
        });
        Ok(Link { address, shared })
    }

    /// Where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing passes.
    pub(crate) fn cut(&self) {
        self.shared.state().is_cut = true;
    }

    /// Everything passes again, what has waited first.
    pub(crate) fn heal(&self) {
        self.shared.state().is_cut = false;
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let streams = {
            let mut state = self.shared.state();
            state.has_ended = true;
            std::mem::take(&mut state.streams)
        };
        self.shared.changed.notify_all();
        for stream in streams {
            // It fails only for one that is closed already.
            _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the link is cut. False once it has ended.
    fn is_open(&self) -> bool {
        let cut = |state: &mut State| state.is_cut && !state.has_ended;
        let state = self.changed.wait_while(self.state(), cut).unwrap_or_else(PoisonError::into_inner);
        !state.has_ended
    }

    /// Where nobody listens, `near` is closed.
    fn connect(self: Arc<Self>, near: TcpStream) {
        if !self.is_open() {
            return;
        }
        let Ok(far) = TcpStream::connect(self.to) else { return };
        let other_way = {
            let sides = || Ok::<_, std::io::Error>((near.try_clone()?, far.try_clone()?));
            let (Ok(kept), Ok(other_way)) = (sides(), sides()) else { return };
            // As the sides themselves have it: a small message must not wait for the next.
            _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
            let mut state = self.state();
            if state.has_ended {
                return;
            }
            state.streams.extend([kept.0, kept.1]);
            other_way
        };
        let shared = Arc::clone(&self);
        thread::spawn(move || shared.pass(other_way.1, other_way.0));
        self.pass(near, far);
    }

    /// Passes on what comes until either side closes, and then the end of it.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut chunk = [0; CHUNK];
        loop {
            let len = from.read(&mut chunk).unwrap_or(0);
            if !self.is_open() || len == 0 || to.write_all(&chunk[..len]).is_err() {
                break;
            }
        }
        // Both ways: NATS and its clients close no half.
        _ = to.shutdown(Shutdown::Both);
        _ = from.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_sent_over_a_cut_link_arrives_once_it_is_healed_and_the_end_of_a_link_closes() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let link = Link::before(server.local_addr().expect("an address")).expect("a port");
        let mut near = TcpStream::connect(link.address()).expect("it listens");
        let (mut far, _) = server.accept().expect("the link connects");
        let mut byte = [0];
        near.write_all(b"a").expect("open");
        far.read_exact(&mut byte).expect("it passes");
        link.cut();
        near.write_all(b"b").expect("nothing is closed");
        far.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
        assert!(far.read(&mut byte).is_err(), "nothing passes");
        link.heal();
        far.set_read_timeout(None).expect("a socket");
        far.read_exact(&mut byte).expect("it passes");
        assert_eq!(byte, *b"b");
        drop(link);
        assert_eq!(far.read(&mut byte).expect("closed in order"), 0);
    }
}
