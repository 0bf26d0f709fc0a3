//! What the first process tells the second: lines on its standard input; its answer is one line of JSON at the end.

use std::io::{BufRead, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What the clients are to do, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Order {
    /// Nothing yet: wait for the others to connect.
    Wait,
    /// Send inputs.
    Go,
    /// Go on, and count.
    Measure,
    /// Say what was counted and end.
    End,
}

impl Order {
    const ALL: [Order; 4] = [Order::Wait, Order::Go, Order::Measure, Order::End];
}

/// What the clients counted while it was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientCounts {
    /// CPU time in seconds.
    pub(crate) cpu_s: f64,
    /// Frames received, by all.
    pub(crate) frames: u64,
    /// Frames received by the client that got the fewest.
    pub(crate) frames_fewest: u64,
    /// Inputs sent, by all.
    pub(crate) inputs: u64,
    /// Time between two frames of a client in milliseconds: median, 99th percentile, longest.
    pub(crate) gap_ms: [f64; 3],
}

/// The process of the clients, seen from the server. It ends when its standard input does.
pub(crate) struct ClientProcess {
    child: Child,
    orders: Option<ChildStdin>,
}

impl ClientProcess {
    /// Starts this program once more, with the same flags.
    pub(crate) fn start(port: u16) -> anyhow::Result<ClientProcess> {
        let program = std::env::current_exe().context("cannot find this program to start it once more")?;
        let mut child = Command::new(program)
            .args(std::env::args_os().skip(1))
            .args(["--clients-of", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the process of the clients")?;
        let orders = child.stdin.take();
        Ok(ClientProcess { child, orders })
    }

    /// Tells the clients what to do.
    pub(crate) fn order(&mut self, order: Order) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("the clients' input is closed")?;
        writeln!(orders, "{}", order as u8).and_then(|()| orders.flush()).context("the process of the clients is gone")
    }

    /// Says so if the process has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot look after the process of the clients")? {
            None => Ok(()),
            Some(status) => bail!("the process of the clients ended early ({status}); its words are above"),
        }
    }

    /// Ends the clients and takes what they counted.
    pub(crate) fn end(&mut self) -> anyhow::Result<ClientCounts> {
        self.order(Order::End)?;
        let mut line = String::new();
        let mut answer = self.child.stdout.take().context("the clients' output is closed")?;
        answer.read_to_string(&mut line).context("cannot read what the clients counted")?;
        let status = self.child.wait().context("cannot wait for the process of the clients")?;
        if !status.success() {
            bail!("the process of the clients failed ({status}); its words are above");
        }
        serde_json::from_str(&line).with_context(|| format!("the clients answered {line:?}, which is no figures"))
    }
}

impl Drop for ClientProcess {
    /// With its input closed the process ends by itself.
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// The orders, seen from the clients.
#[derive(Debug, Clone)]
pub(crate) struct Orders(Arc<AtomicU8>);

impl Orders {
    /// Listens on standard input; its end is an order to end.
    pub(crate) fn listen() -> Orders {
        let newest = Arc::new(AtomicU8::new(Order::Wait as u8));
        let heard = Arc::clone(&newest);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                heard.store(line.trim().parse().unwrap_or(Order::End as u8), Ordering::Relaxed);
            }
            heard.store(Order::End as u8, Ordering::Relaxed);
        });
        Orders(newest)
    }

    /// The newest order.
    pub(crate) fn newest(&self) -> Order {
        let number = self.0.load(Ordering::Relaxed);
        Order::ALL.into_iter().find(|order| *order as u8 == number).unwrap_or(Order::End)
    }
}
