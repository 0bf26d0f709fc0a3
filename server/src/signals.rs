//! What the operating system asks of the program.

use tokio::sync::mpsc;

/// A signal, by what it means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To end. With the name of the signal, and its number.
    End(&'static str, u8),
    /// To read anew what may have changed.
    Renew(&'static str),
    /// Nothing. Without us the system would end the process.
    Nothing(&'static str),
}

/// The signals that come from here on.
pub struct Signals {
    coming: mpsc::Receiver<Asked>,
    /// One that came while only the end was waited for.
    kept: Option<Asked>,
}

impl Signals {
    /// The next one.
    pub async fn next(&mut self) -> Asked {
        if let Some(asked) = self.kept.take() {
            return asked;
        }
        match self.coming.recv().await {
            Some(asked) => asked,
            // It cannot be: those who send live as long as the process.
            None => std::future::pending().await,
        }
    }

    /// The next one that asks the program to end: its name and its number. What should be read anew is remembered.
    pub async fn end(&mut self) -> (&'static str, u8) {
        loop {
            match self.coming.recv().await {
                Some(Asked::End(name, number)) => return (name, number),
                Some(asked @ Asked::Renew(_)) => self.kept = Some(asked),
                Some(Asked::Nothing(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// Takes every signal that would end the process and can be taken, except those that report a fault of the program.
///
/// # Errors
/// When the operating system lets a signal not be taken.
#[cfg(unix)]
pub fn listen() -> std::io::Result<Signals> {
    use nix::sys::signal::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    let asks = |signal: Signal| match signal {
        // A processor-time limit is met once a second until it kills: time enough to end.
        Signal::SIGINT | Signal::SIGTERM | Signal::SIGQUIT | Signal::SIGXCPU => {
            Some(Asked::End(signal.as_str(), signal as i32 as u8))
        }
        Signal::SIGHUP => Some(Asked::Renew(signal.as_str())),
        // A file that may not grow, such as one that standard error goes to, is an error of its writer.
        Signal::SIGUSR1
        | Signal::SIGUSR2
        | Signal::SIGPIPE
        | Signal::SIGALRM
        | Signal::SIGVTALRM
        | Signal::SIGPROF
        | Signal::SIGIO
        | Signal::SIGXFSZ => Some(Asked::Nothing(signal.as_str())),
        #[cfg(target_os = "linux")]
        Signal::SIGPWR | Signal::SIGSTKFLT => Some(Asked::Nothing(signal.as_str())),
        _ => None,
    };
    let (sender, receiver) = mpsc::channel(1);
    let named = Signal::iterator().filter_map(|signal| Some((signal as i32, asks(signal)?)));
    // They have numbers instead of names, and end whoever does not take them.
    #[cfg(target_os = "linux")]
    let named = named.chain(
        (nix::libc::SIGRTMIN()..=nix::libc::SIGRTMAX()).map(|number| (number, Asked::Nothing("a real-time signal"))),
    );
    for (number, asked) in named {
        let (mut came, sender) = (signal(SignalKind::from_raw(number))?, sender.clone());
        tokio::spawn(async move {
            // The system remembers of each signal only that it came, so no more than one of each ever waits.
            while came.recv().await.is_some() && sender.send(asked).await.is_ok() {}
        });
    }
    Ok(Signals { coming: receiver, kept: None })
}

/// Takes Ctrl-C.
///
/// # Errors
/// When the operating system lets it not be taken.
#[cfg(not(unix))]
pub fn listen() -> std::io::Result<Signals> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && sender.send(Asked::End("Ctrl-C", 2)).await.is_ok() {}
    });
    Ok(Signals { coming: receiver, kept: None })
}

/// Lets the process write to a terminal from the background, which may be set to stop whoever does.
#[cfg(unix)]
pub fn write_from_background() {
    use nix::sys::signal::{SigSet, Signal};
    let mut stops = SigSet::empty();
    stops.add(Signal::SIGTTOU);
    // Threads that are started later do the same. It fails for no signal there is.
    let _ = stops.thread_block();
}

/// Elsewhere nobody stops whoever writes.
#[cfg(not(unix))]
pub fn write_from_background() {}
