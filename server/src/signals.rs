//! Signals of the operating system, mapped to what they do to the server.

use tokio::sync::mpsc;

/// The effect of a signal, with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalAction {
    /// Shut down. With the number of the signal.
    End(&'static str, u8),
    /// Reload files that may have changed.
    Reload(&'static str),
    /// Start this program again, and hand over to it.
    HandOver(&'static str),
    /// No effect. Unhandled, the signal would end the process.
    Ignore(&'static str),
}

/// The signals received since [`listen`].
pub struct Signals {
    received: mpsc::Receiver<SignalAction>,
    /// A reload that arrived while only a shutdown was awaited.
    pending: Option<SignalAction>,
}

impl Signals {
    /// The next signal.
    pub async fn next(&mut self) -> SignalAction {
        if let Some(action) = self.pending.take() {
            return action;
        }
        match self.received.recv().await {
            Some(action) => action,
            // Cannot happen: the senders live as long as the process.
            None => std::future::pending().await,
        }
    }

    /// The next signal that ends the program: its name and number. A reload stays pending.
    pub async fn end(&mut self) -> (&'static str, u8) {
        loop {
            match self.received.recv().await {
                Some(SignalAction::End(name, number)) => return (name, number),
                Some(action @ SignalAction::Reload(_)) => self.pending = Some(action),
                // Whoever ends does not hand over.
                Some(SignalAction::HandOver(_) | SignalAction::Ignore(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// Handles every signal that would end the process, except uncatchable ones and those that report a fault of the program.
///
/// # Errors
/// The operating system refuses a handler.
#[cfg(unix)]
pub fn listen() -> std::io::Result<Signals> {
    use nix::sys::signal::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    let action_of = |signal: Signal| match signal {
        // Sent every second once the soft limit of CPU time is reached, until the hard limit kills: time enough to shut down.
        Signal::SIGINT | Signal::SIGTERM | Signal::SIGQUIT | Signal::SIGXCPU => {
            Some(SignalAction::End(signal.as_str(), signal as i32 as u8))
        }
        Signal::SIGHUP => Some(SignalAction::Reload(signal.as_str())),
        // The write to a file that reached its size limit, such as a redirected standard error, reports the error.
        Signal::SIGUSR2 => Some(SignalAction::HandOver(signal.as_str())),
        Signal::SIGUSR1
        | Signal::SIGPIPE
        | Signal::SIGALRM
        | Signal::SIGVTALRM
        | Signal::SIGPROF
        | Signal::SIGIO
        | Signal::SIGXFSZ => Some(SignalAction::Ignore(signal.as_str())),
        #[cfg(target_os = "linux")]
        Signal::SIGPWR | Signal::SIGSTKFLT => Some(SignalAction::Ignore(signal.as_str())),
        _ => None,
    };
    let (sender, receiver) = mpsc::channel(1);
    let named = Signal::iterator().filter_map(|signal| Some((signal as i32, action_of(signal)?)));
    // Real-time signals have no names and end a process that does not handle them.
    #[cfg(target_os = "linux")]
    let named = named.chain(
        (nix::libc::SIGRTMIN()..=nix::libc::SIGRTMAX())
            .map(|number| (number, SignalAction::Ignore("a real-time signal"))),
    );
    for (number, action) in named {
        let (mut arrivals, sender) = (signal(SignalKind::from_raw(number))?, sender.clone());
        tokio::spawn(async move {
            // Signals coalesce, so at most one of each waits.
            while arrivals.recv().await.is_some() && sender.send(action).await.is_ok() {}
        });
    }
    Ok(Signals { received: receiver, pending: None })
}

/// Handles Ctrl-C.
///
/// # Errors
/// The operating system refuses a handler.
#[cfg(not(unix))]
pub fn listen() -> std::io::Result<Signals> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && sender.send(SignalAction::End("Ctrl-C", 2)).await.is_ok() {}
    });
    Ok(Signals { received: receiver, pending: None })
}

/// Lets a background process write to the terminal, even if the terminal is set to stop such processes.
#[cfg(unix)]
pub fn write_from_background() {
    use nix::sys::signal::{SigSet, Signal};
    let mut stops = SigSet::empty();
    stops.add(Signal::SIGTTOU);
    // Threads started later inherit the mask. Cannot fail for a valid signal.
    let _ = stops.thread_block();
}

/// Other systems do not stop background writers.
#[cfg(not(unix))]
pub fn write_from_background() {}
