//! Handing a server over to another process: the successor gets the listening sockets, and the state of every room and session, over a
//! Unix socket in the data folder.
//!
//! ```text
//! successor                     server
//! hello: game, rules       ->
//!                          <-   refused: why            and nothing has happened
//!                          <-   sockets
//! ready                    ->                           its configuration is good: nothing has happened until here
//!                          <-   state                   every room stands still; connections with TLS are closed with 1012
//!                          <-   connections             what is known of the others, and their sockets
//! serving                  ->                           the server ends
//! ```
//! A successor that is gone before it serves changes nothing for players but a pause: the server goes on from the state itself.
//!
//! Messages are length and bytes; the state is a whole [segment](crate::checkpoints::segment). Both ends give up after a while.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broadside_shared::saved;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::checkpoints::make_private;
use crate::passed::{About, PassedSocket};

/// How long one end waits for a word of the other.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits while the other one closes, or opens, a database. An end that is gone is noticed at once.
const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// Longest message, in bytes: the state of all rooms.
const MESSAGE_MAX: usize = 1 << 30;
/// Sockets in one message; the system takes no more than 253.
const SOCKETS_MAX: usize = 128;

/// What a successor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub game: String,
    /// See [`rules_hash`](broadside_shared::trial::rules_hash).
    pub rules: u64,
    /// Whether worlds may start anew if the rules are others.
    pub may_migrate: bool,
}

/// What the server says first.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Refused(String),
    /// That many sockets come with it.
    Sockets(u8),
}

/// The listening sockets of a server.
#[derive(Debug)]
pub struct Sockets {
    pub main: TcpListener,
    /// That of the plain-HTTP port, if there is one.
    pub redirect: Option<TcpListener>,
}

impl Sockets {
    /// The same sockets once more.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn again(&self) -> std::io::Result<Sockets> {
        let redirect = self.redirect.as_ref().map(TcpListener::try_clone).transpose()?;
        Ok(Sockets { main: self.main.try_clone()?, redirect })
    }
}

/// Where the server of a data folder listens for successors.
#[must_use]
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("hand-over").join("socket")
}

/// The way to a successor that has said hello.
pub struct Successor {
    stream: UnixStream,
    pub hello: Hello,
}

/// Listens for successors, in a folder for the user of the server alone.
///
/// # Errors
/// The file cannot be made.
pub fn listen(data: &Path) -> std::io::Result<UnixListener> {
    let path = socket_path(data);
    make_private(path.parent().unwrap_or(data))?;
    // That of a server that was killed: the lock of the data folder says that none runs.
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path)
}

impl Successor {
    /// Reads the hello of a process that has connected.
    ///
    /// # Errors
    /// It says nothing, or something else.
    pub fn greet(stream: UnixStream) -> std::io::Result<Successor> {
        stream.set_nonblocking(false)?;
        set_patience(&stream)?;
        let hello = saved::load(&receive(&stream)?).map_err(invalid)?;
        Ok(Successor { stream, hello })
    }

    /// Says that there is nothing to take over, and why.
    pub fn refuse(self, why: &str) {
        // A successor that is gone needs no answer.
        let _ = send(&self.stream, &saved::save(&Answer::Refused(why.to_owned())), &[]);
    }

    /// Gives it the sockets, and waits until it is ready for the state.
    ///
    /// # Errors
    /// It is gone, or does not get ready in time.
    pub fn offer(&self, sockets: &Sockets) -> std::io::Result<()> {
        let mut all = vec![sockets.main.as_fd()];
        all.extend(sockets.redirect.as_ref().map(AsFd::as_fd));
        send(&self.stream, &saved::save(&Answer::Sockets(all.len() as u8)), &all)?;
        expect(&self.stream, b"ready")
    }

    /// Gives it the state and the open connections, and waits until it serves.
    ///
    /// # Errors
    /// It is gone, or does not serve in time.
    pub fn give(&self, state: &[u8], connections: &[PassedSocket]) -> std::io::Result<()> {
        self.stream.set_read_timeout(Some(LONG_PATIENCE))?;
        send(&self.stream, state, &[])?;
        let about: Vec<&About> = connections.iter().map(|passed| &passed.about).collect();
        send(&self.stream, &saved::save(&about), &[])?;
        for some in connections.chunks(SOCKETS_MAX) {
            let sockets: Vec<_> = some.iter().map(|passed| passed.stream.as_fd()).collect();
            send(&self.stream, &[], &sockets)?;
        }
        expect(&self.stream, b"serving")
    }
}

/// A server that is about to be taken over.
pub struct Inheritance {
    stream: UnixStream,
    pub sockets: Sockets,
    /// Whether worlds may start anew if the rules are others.
    pub may_migrate: bool,
}

/// Asks the server of a data folder to hand over.
///
/// # Errors
/// No server runs there, or it refuses. One line.
pub fn ask(data: &Path, hello: &Hello) -> Result<Inheritance, String> {
    let path = socket_path(data);
    let failed =
        |error: std::io::Error| format!("--take-over: the server of {} does not answer: {error}", data.display());
    let stream = UnixStream::connect(&path).map_err(|error| {
        format!("--take-over: no server runs with --data {} ({error}); start without --take-over", data.display())
    })?;
    set_patience(&stream).map_err(failed)?;
    send(&stream, &saved::save(hello), &[]).map_err(failed)?;
    let (answer, sockets) = receive_with_sockets(&stream).map_err(failed)?;
    match saved::load(&answer).map_err(invalid).map_err(failed)? {
        Answer::Refused(why) => Err(format!("--take-over: the running server refuses: {why}")),
        Answer::Sockets(count) if usize::from(count) == sockets.len() => {
            let mut sockets = sockets.into_iter().map(TcpListener::from);
            let main = sockets.next().ok_or("--take-over: the running server has no socket")?;
            let sockets = Sockets { main, redirect: sockets.next() };
            Ok(Inheritance { stream, sockets, may_migrate: hello.may_migrate })
        }
        Answer::Sockets(_) => Err("--take-over: the sockets of the running server did not arrive".to_owned()),
    }
}

impl Inheritance {
    /// Says that this process is ready, and waits for the state and the open connections. Those for which there is no descriptor are left
    /// out, and end with the other process.
    ///
    /// # Errors
    /// The server is gone.
    pub fn take(&self) -> std::io::Result<(Vec<u8>, Vec<PassedSocket>)> {
        send(&self.stream, b"ready", &[])?;
        self.stream.set_read_timeout(Some(LONG_PATIENCE))?;
        let state = receive(&self.stream)?;
        let about: Vec<About> = saved::load(&receive(&self.stream)?).map_err(invalid)?;
        let mut passed = Vec::new();
        for some in about.chunks(SOCKETS_MAX) {
            let (_, sockets) = receive_with_sockets(&self.stream)?;
            passed.extend(
                sockets.into_iter().zip(some).map(|(stream, about)| PassedSocket { stream, about: about.clone() }),
            );
        }
        Ok((state, passed))
    }

    /// Says that this process serves.
    ///
    /// # Errors
    /// The server is gone, and goes on or not.
    pub fn serves(&self) -> std::io::Result<()> {
        send(&self.stream, b"serving", &[])
    }
}

fn set_patience(stream: &UnixStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}

fn expect(stream: &UnixStream, word: &[u8]) -> std::io::Result<()> {
    if receive(stream)? == word { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// Sends a message, and descriptors with its length.
fn send(mut stream: &UnixStream, message: &[u8], sockets: &[std::os::fd::BorrowedFd<'_>]) -> std::io::Result<()> {
    let length = (message.len() as u64).to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    // Eight bytes go in one piece.
    sendmsg(stream, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL)?;
    stream.write_all(message)
}

fn receive(stream: &UnixStream) -> std::io::Result<Vec<u8>> {
    receive_with_sockets(stream).map(|(message, _)| message)
}

fn receive_with_sockets(mut stream: &UnixStream) -> std::io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (mut length, mut sockets) = ([0; 8], Vec::new());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let read = recvmsg(stream, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            sockets.extend(rights);
        }
    }
    if read.bytes == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    stream.read_exact(&mut length[read.bytes..])?;
    let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > MESSAGE_MAX {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut message = Vec::new();
    stream.take(length as u64).read_to_end(&mut message)?;
    if message.len() < length { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok((message, sockets)) }
}

#[cfg(test)]
mod tests {
    use broadside_core::connection::PassedConnection;
    use broadside_shared::time::Tick;

    use super::*;

    fn about(session: u64) -> About {
        let address = ([10, 0, 0, 1], session as u16).into();
        let connection = PassedConnection { session, have: Tick(7), address, handshake: None };
        About { connection, unread: vec![1; session as usize], unsent: vec![2] }
    }

    #[test]
    fn sockets_and_state_pass_from_one_to_the_other_and_a_refusal_says_why() {
        let data = std::env::temp_dir().join(format!("broadside-hand-over-{}", std::process::id()));
        std::fs::create_dir_all(&data).expect("a folder");
        let hello = Hello { game: "toy".to_owned(), rules: 7, may_migrate: false };
        assert!(ask(&data, &hello).is_err_and(|why| why.contains("no server runs")));
        let waiting = listen(&data).expect("a socket");
        let state = vec![9; 1_000_000];
        let main = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = main.local_addr().expect("bound");
        // More than go in one message.
        let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().expect("two sockets")).collect();
        let passed = |(at, (near, _)): (usize, &(UnixStream, UnixStream))| PassedSocket {
            stream: near.try_clone().expect("a descriptor").into(),
            about: about(at as u64),
        };
        let connections: Vec<_> = pairs.iter().enumerate().map(passed).collect();
        std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let refused = Successor::greet(waiting.accept().expect("it asks").0).expect("a hello");
                assert_eq!(refused.hello, hello);
                refused.refuse("not today");
                let taken = Successor::greet(waiting.accept().expect("it asks").0).expect("a hello");
                taken.offer(&Sockets { main, redirect: None }).expect("it gets ready");
                taken.give(&state, &connections).expect("it serves");
            });
            assert!(ask(&data, &hello).is_err_and(|why| why.ends_with("not today")));
            let inheritance = ask(&data, &hello).expect("the sockets");
            assert_eq!(inheritance.sockets.main.local_addr().expect("bound"), address);
            let (taken, open) = inheritance.take().expect("the state");
            assert_eq!((taken, open.len()), (state.clone(), 300));
            for (at, (open, (_, far))) in open.into_iter().zip(&pairs).enumerate() {
                assert_eq!(open.about, about(at as u64));
                let mut word = [0; 5];
                UnixStream::from(open.stream).write_all(b"hello").expect("it is open");
                { far }.read_exact(&mut word).expect("it is the other end of this one");
            }
            inheritance.serves().expect("it waits");
            server.join().expect("no panic");
        });
        std::fs::remove_dir_all(&data).expect("it is there");
    }
}
