//! The clients of the floor: all in one process and one thread, cheap enough not to limit the measurement.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use broadside_bots::load::statistics::times;
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use tokio_tungstenite::tungstenite::client;

use crate::frames::{self, FrameCounter};
use crate::machine;
use crate::orders::{ClientCounts, Order, Orders};
use crate::plan::Plan;

/// Socket events per poll.
const EVENTS: usize = 1024;
/// Longest wait of a poll, so that orders are noticed in time.
const WAIT_MAX: Duration = Duration::from_millis(20);

struct SwarmClient {
    stream: mio::net::TcpStream,
    counter: FrameCounter,
    last_frame: Option<Instant>,
    frames: u64,
}

struct ClientSwarm {
    poll: Poll,
    clients: Vec<SwarmClient>,
    input: Vec<u8>,
    frame_bytes: usize,
    inputs: u64,
    gaps_us: Histogram<u32>,
}

/// Connects to the floor on `port`, follows the orders, and prints the counts.
pub(crate) fn run(plan: &Plan, port: u16) -> anyhow::Result<()> {
    let orders = Orders::listen();
    let mut swarm = ClientSwarm::connect(plan, port)?;
    while orders.newest() == Order::Wait {
        std::thread::sleep(Duration::from_millis(1));
    }
    swarm.play(plan, || orders.newest() == Order::Go)?;
    swarm.reset();
    let cpu = machine::cpu()?;
    swarm.play(plan, || orders.newest() == Order::Measure)?;
    let cpu = machine::cpu()? - cpu;
    let counts = swarm.counts(cpu);
    broadside_bots::output::print_line(serde_json::to_string(&counts)?)?;
    Ok(())
}

impl ClientSwarm {
    fn connect(plan: &Plan, port: u16) -> anyhow::Result<ClientSwarm> {
        let poll = Poll::new().context("cannot open an epoll")?;
        let mut clients = Vec::with_capacity(plan.players);
        for index in 0..plan.players {
            let mut stream = complete_handshake(port).with_context(|| format!("client {index} of {}", plan.players))?;
            let registered = poll.registry().register(&mut stream, Token(index), Interest::READABLE);
            registered.context("cannot register a socket")?;
            clients.push(SwarmClient { stream, counter: FrameCounter::default(), last_frame: None, frames: 0 });
        }
        Ok(ClientSwarm {
            poll,
            clients,
            input: frames::from_client(plan.input_bytes),
            frame_bytes: frames::from_server(plan.bytes).len(),
            inputs: 0,
            gaps_us: times(),
        })
    }

    /// Sends and reads while `go_on` gives `true`. Inputs are spread evenly over the interval.
    fn play(&mut self, plan: &Plan, go_on: impl Fn() -> bool) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let players = self.clients.len();
        let (began, step) = (Instant::now(), plan.interval().as_secs_f64() / players as f64);
        let due = |number: u64| began + Duration::from_secs_f64(step * number as f64);
        let mut number = 0;
        while go_on() {
            let now = Instant::now();
            while due(number) <= now {
                self.send(number as usize % players)?;
                number += 1;
            }
            let wait = due(number).saturating_duration_since(now).min(WAIT_MAX);
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot wait for sockets"),
            }
            for event in &events {
                self.receive(event.token().0)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, index: usize) -> anyhow::Result<()> {
        match self.clients[index].stream.write(&self.input) {
            Ok(n) if n == self.input.len() => {
                self.inputs += 1;
                Ok(())
            }
            Ok(n) => bail!("a socket took {n} of {} bytes: the floor does not read", self.input.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("cannot write to the floor"),
        }
    }

    fn receive(&mut self, index: usize) -> anyhow::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let client = &mut self.clients[index];
        loop {
            let received = match client.stream.read(&mut buffer) {
                Ok(0) => bail!("the floor closed a socket"),
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot read from the floor"),
            };
            for _ in 0..client.counter.take(received, self.frame_bytes) {
                let now = Instant::now();
                if let Some(last) = client.last_frame.replace(now) {
                    self.gaps_us.saturating_record(now.duration_since(last).as_micros() as u64);
                }
                client.frames += 1;
            }
            // A read that does not fill the buffer has drained the socket.
            if received < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Drops what was counted during the warm-up.
    fn reset(&mut self) {
        self.gaps_us.reset();
        self.inputs = 0;
        self.clients.iter_mut().for_each(|client| client.frames = 0);
    }

    fn counts(&self, cpu: Duration) -> ClientCounts {
        let ms = |quantile| self.gaps_us.value_at_quantile(quantile) as f64 / 1000.0;
        ClientCounts {
            cpu_s: cpu.as_secs_f64(),
            frames: self.clients.iter().map(|client| client.frames).sum(),
            frames_fewest: self.clients.iter().map(|client| client.frames).min().unwrap_or(0),
            inputs: self.inputs,
            gap_ms: [ms(0.5), ms(0.99), ms(1.0)],
        }
    }
}

fn complete_handshake(port: u16) -> anyhow::Result<mio::net::TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot reach the floor")?;
    stream.set_nodelay(true).context("cannot send small frames at once")?;
    let address = format!("ws://127.0.0.1:{port}/");
    let (socket, _) = client(address, stream).map_err(|error| anyhow::anyhow!("handshake failed: {error}"))?;
    let stream = socket.into_inner();
    stream.set_nonblocking(true).context("cannot make a socket nonblocking")?;
    Ok(mio::net::TcpStream::from_std(stream))
}
