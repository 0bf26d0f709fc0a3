//! The messages between the two processes: orders as lines on the clients' standard input, and one line of JSON as their answer.

use std::io::{BufRead, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What the clients must do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Order {
    /// Wait until all clients are connected.
    Wait,
    /// Send inputs.
    Go,
    /// Send inputs and count.
    Measure,
    /// Print the counts and exit.
    End,
}

impl Order {
    const ALL: [Order; 4] = [Order::Wait, Order::Go, Order::Measure, Order::End];
}

/// What the clients counted during the measurement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientCounts {
    /// CPU time in seconds.
    pub(crate) cpu_s: f64,
    /// Frames received by all clients.
    pub(crate) frames: u64,
    /// Frames received by the client with the fewest.
    pub(crate) frames_fewest: u64,
    /// Inputs sent by all clients.
    pub(crate) inputs: u64,
    /// Time between two frames of a client in milliseconds: median, 99th percentile, longest.
    pub(crate) gap_ms: [f64; 3],
}

/// The client process, seen from the server. It exits when its standard input is closed.
pub(crate) struct ClientProcess {
    child: Child,
    orders: Option<ChildStdin>,
}

impl ClientProcess {
    /// Starts this program again, with the same flags.
    pub(crate) fn start(port: u16) -> anyhow::Result<ClientProcess> {
        let program = std::env::current_exe().context("cannot find this program to start it again")?;
        let mut child = Command::new(program)
            .args(std::env::args_os().skip(1))
            .args(["--clients-of", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the client process")?;
        let orders = child.stdin.take();
        Ok(ClientProcess { child, orders })
    }

    /// Sends an order.
    pub(crate) fn order(&mut self, order: Order) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("the clients' input is closed")?;
        writeln!(orders, "{}", order as u8).and_then(|()| orders.flush()).context("the client process has exited")
    }

    /// # Errors
    /// The process has exited.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot query the client process")? {
            None => Ok(()),
            Some(status) => bail!("the client process exited early ({status}); its error is above"),
        }
    }

    /// Ends the client process and gives its counts.
    pub(crate) fn end(&mut self) -> anyhow::Result<ClientCounts> {
        self.order(Order::End)?;
        let mut line = String::new();
        let mut answer = self.child.stdout.take().context("the clients' output is closed")?;
        answer.read_to_string(&mut line).context("cannot read the clients' counts")?;
        let status = self.child.wait().context("cannot wait for the client process")?;
        if !status.success() {
            bail!("the client process failed ({status}); its error is above");
        }
        serde_json::from_str(&line).with_context(|| format!("the clients answered {line:?}, which are no counts"))
    }
}

impl Drop for ClientProcess {
    /// Closes the input, which ends the process.
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// The orders, seen from the clients.
#[derive(Debug, Clone)]
pub(crate) struct Orders(Arc<AtomicU8>);

impl Orders {
    /// Reads orders from standard input; its end means [`Order::End`].
    pub(crate) fn listen() -> Orders {
        let newest = Arc::new(AtomicU8::new(Order::Wait as u8));
        let writer = Arc::clone(&newest);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                writer.store(line.trim().parse().unwrap_or(Order::End as u8), Ordering::Relaxed);
            }
            writer.store(Order::End as u8, Ordering::Relaxed);
        });
        Orders(newest)
    }

    /// The newest order.
    pub(crate) fn newest(&self) -> Order {
        let number = self.0.load(Ordering::Relaxed);
        Order::ALL.into_iter().find(|order| *order as u8 == number).unwrap_or(Order::End)
    }
}
