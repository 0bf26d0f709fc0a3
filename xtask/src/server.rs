//! A server that something happens to, with those it hands over to.

use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};

use crate::process::{GLANCE, Service};

/// How long a server may take from SIGTERM to its end, with --drain-wait and the players' closing.
const END_WITHIN: Duration = Duration::from_secs(30);

/// A server. The one that it hands over to is no child of ours, but in the same process group, and counts as the same.
pub(crate) struct Server {
    /// The first one.
    pub(crate) service: Service,
}

impl Server {
    /// Starts `command`, whose output is piped.
    pub(crate) fn start(name: &str, command: &Command, stderr: Stdio) -> Result<Server> {
        Ok(Server { service: Service::start(name, command, Stdio::piped(), stderr)? })
    }

    /// Sends a signal to the one that runs.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(killpg(self.service.process(), signal)?)
    }

    /// How the first one ended, when it has; another one may run since.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.service.ended()
    }

    /// Kills it as a crash does, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        while self.ended()?.is_none() {
            sleep(GLANCE);
        }
        Ok(())
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// It does not end in time, or the first one did not end well.
    pub(crate) fn end(&mut self) -> Result<()> {
        let group = self.service.process();
        let handed_over = self.ended()?.is_some();
        match killpg(group, Signal::SIGTERM) {
            Err(Errno::ESRCH) if handed_over => {}
            sent => sent?,
        }
        let until = Instant::now() + END_WITHIN;
        let status = loop {
            match self.ended()? {
                Some(status) if !handed_over || killpg(group, None).is_err() => break status,
                Some(_) | None => {}
            }
            ensure!(Instant::now() < until, "the {} does not end", self.service.name());
            sleep(GLANCE);
        };
        ensure!(status.success(), "the {} ended with {status}", self.service.name());
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // There is nobody left after a server that has ended well.
        _ = killpg(self.service.process(), Signal::SIGKILL);
    }
}
