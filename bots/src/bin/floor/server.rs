//! The measured side: one thread, one epoll, one read and one write per client and frame.
//!
//! Ticks have absolute deadlines, like those of the real server. Each tick, one `epoll_wait` finds the sockets with inputs, each of them
//! is read once, and every due client gets its frame; frames are spread over the ticks by the client's number.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use broadside_bots::load::statistics::times;
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;
use tokio_tungstenite::tungstenite::accept;

use crate::orders::{ClientCounts, ClientProcess, Order};
use crate::plan::{Plan, TICK_HZ, WARM_UP};
use crate::{frames, machine};

/// Socket options of the real server, so that the kernel does the same work.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 16 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
/// Timeout for the next connection, and for a handshake.
const PATIENCE: Duration = Duration::from_secs(15);
/// Ticks that a late loop runs at once to catch up; more are dropped and counted.
const CATCH_UP_TICKS: u32 = 4;

/// One client's socket.
pub(crate) struct ServedSocket {
    stream: mio::net::TcpStream,
    /// Bytes of the last frame that the socket has not accepted.
    unwritten: usize,
}

/// What the server counted during the measurement.
#[derive(Debug)]
pub(crate) struct ServerRun {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    pub(crate) counts: CallCounts,
    /// Time from a tick's deadline to its start, in microseconds.
    pub(crate) lateness_us: Histogram<u32>,
    /// Duration of a tick, in microseconds.
    pub(crate) tick_us: Histogram<u32>,
}

/// System calls, frames and bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallCounts {
    pub(crate) frames: u64,
    pub(crate) skipped: u64,
    pub(crate) writes: u64,
    pub(crate) reads: u64,
    pub(crate) bytes_in: u64,
    pub(crate) polls: u64,
    pub(crate) sleeps: u64,
    pub(crate) missed: u64,
}

/// Accepts every client, one after the other, and completes its WebSocket handshake.
pub(crate) fn accept_all(
    listener: &TcpListener,
    plan: &Plan,
    clients: &mut ClientProcess,
) -> anyhow::Result<Vec<ServedSocket>> {
    listener.set_nonblocking(true).context("cannot make the listener nonblocking")?;
    let mut sockets = Vec::with_capacity(plan.players);
    let mut last = Instant::now();
    while sockets.len() < plan.players {
        match listener.accept() {
            Ok((stream, _)) => {
                sockets.push(complete_handshake(stream)?);
                last = Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                clients.check()?;
                if last.elapsed() > PATIENCE {
                    let (connected, wanted, s) = (sockets.len(), plan.players, PATIENCE.as_secs());
                    bail!("{connected} of {wanted} clients connected, and none in the last {s} s");
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error).context("cannot accept a client"),
        }
    }
    Ok(sockets)
}

fn complete_handshake(stream: TcpStream) -> anyhow::Result<ServedSocket> {
    stream.set_nonblocking(false).context("cannot make a socket blocking")?;
    stream.set_read_timeout(Some(PATIENCE)).context("cannot bound the handshake")?;
    let socket = accept(stream).map_err(|error| anyhow::anyhow!("a client failed in its handshake: {error}"))?;
    let stream = socket.into_inner();
    // Socket options are optional: without them the socket still works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(NOTSENT_LOWAT);
    stream.set_nonblocking(true).context("cannot make a socket nonblocking")?;
    Ok(ServedSocket { stream: mio::net::TcpStream::from_std(stream), unwritten: 0 })
}

/// Serves the clients for the warm-up and the measurement; gives the counts of both sides.
pub(crate) fn serve(
    sockets: Vec<ServedSocket>,
    plan: &Plan,
    clients: &mut ClientProcess,
) -> anyhow::Result<(ServerRun, ClientCounts)> {
    let mut floor = FloorServer::new(sockets, plan)?;
    clients.order(Order::Go)?;
    floor.run(WARM_UP)?;
    clients.order(Order::Measure)?;
    floor.reset();
    let (cpu, began) = (machine::cpu()?, Instant::now());
    floor.run(plan.measured)?;
    let (wall, cpu) = (began.elapsed(), machine::cpu()? - cpu);
    // The sockets stay open until the clients have ended.
    let client_counts = clients.end()?;
    Ok((
        ServerRun { cpu, wall, counts: floor.counts, lateness_us: floor.lateness_us, tick_us: floor.tick_us },
        client_counts,
    ))
}

struct FloorServer {
    poll: Poll,
    events: Events,
    sockets: Vec<ServedSocket>,
    frame: Vec<u8>,
    every: u32,
    tick: u32,
    counts: CallCounts,
    lateness_us: Histogram<u32>,
    tick_us: Histogram<u32>,
}

impl FloorServer {
    fn new(mut sockets: Vec<ServedSocket>, plan: &Plan) -> anyhow::Result<FloorServer> {
        let poll = Poll::new().context("cannot open an epoll")?;
        for (index, socket) in sockets.iter_mut().enumerate() {
            let registered = poll.registry().register(&mut socket.stream, Token(index), Interest::READABLE);
            registered.context("cannot register a socket")?;
        }
        Ok(FloorServer {
            poll,
            events: Events::with_capacity(sockets.len()),
            sockets,
            frame: frames::from_server(plan.bytes),
            every: plan.every,
            tick: 0,
            counts: CallCounts::default(),
            lateness_us: times(),
            tick_us: times(),
        })
    }

    /// Drops what was counted during the warm-up.
    fn reset(&mut self) {
        self.counts = CallCounts::default();
        self.lateness_us.reset();
        self.tick_us.reset();
    }

    /// Runs ticks for `time`.
    fn run(&mut self, time: Duration) -> anyhow::Result<()> {
        let period = Duration::from_secs(1) / TICK_HZ;
        let began = Instant::now();
        let ticks = (time.as_secs_f64() * f64::from(TICK_HZ)).round() as u32;
        let mut tick = 0;
        while tick < ticks {
            let due = began + period * tick;
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                std::thread::sleep(early);
                self.counts.sleeps += 1;
            }
            let start = Instant::now();
            self.lateness_us.saturating_record(start.duration_since(due).as_micros() as u64);
            self.read_inputs()?;
            self.write_frames()?;
            self.tick_us.saturating_record(start.elapsed().as_micros() as u64);
            tick += 1;
            self.tick = self.tick.wrapping_add(1);
            let behind = (start.elapsed() + start.duration_since(due)).as_micros() / period.as_micros();
            if behind > u128::from(CATCH_UP_TICKS) {
                self.counts.missed += behind as u64;
                tick += behind as u32;
            }
        }
        // The last tick lasts its full period too, so that the measured time is the requested one.
        std::thread::sleep((began + period * tick).saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn read_inputs(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 4096];
        self.poll.poll(&mut self.events, Some(Duration::ZERO)).context("cannot wait for sockets")?;
        self.counts.polls += 1;
        for event in &self.events {
            let stream = &mut self.sockets[event.token().0].stream;
            // Edge-triggered: one read per event is enough, because the buffer holds more than a tick's input.
            self.counts.reads += 1;
            match stream.read(&mut buffer) {
                Ok(0) => bail!("a client closed its socket"),
                Ok(n) => self.counts.bytes_in += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("cannot read from a client"),
            }
        }
        Ok(())
    }

    fn write_frames(&mut self) -> anyhow::Result<()> {
        let first = (self.every - self.tick % self.every) % self.every;
        for socket in self.sockets.iter_mut().skip(first as usize).step_by(self.every as usize) {
            // Frames are never interleaved: the rest of the last frame goes first, and this frame is skipped if the socket does not accept it.
            if socket.unwritten > 0 {
                let from = self.frame.len() - socket.unwritten;
                self.counts.writes += 1;
                socket.unwritten -= written(socket.stream.write(&self.frame[from..]))?;
            }
            if socket.unwritten > 0 {
                self.counts.skipped += 1;
                continue;
            }
            self.counts.writes += 1;
            let taken = written(socket.stream.write(&self.frame))?;
            if taken == 0 {
                self.counts.skipped += 1;
                continue;
            }
            self.counts.frames += 1;
            socket.unwritten = self.frame.len() - taken;
        }
        Ok(())
    }
}

/// Bytes accepted by a write; a full socket accepts none.
fn written(result: std::io::Result<usize>) -> anyhow::Result<usize> {
    match result {
        Ok(n) => Ok(n),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error).context("cannot write to a client"),
    }
}
