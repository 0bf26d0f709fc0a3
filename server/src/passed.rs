//! Open connections on their way from one server to the next, which goes on with them: nobody connects again. [`net`](crate::net) takes them
//! from the shards, and gives them to those of the successor.
//!
//! A socket with TLS cannot be passed on: the keys and counters of its session are in this process. Its client connects again.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use broadside_core::connection::PassedConnection;
use serde::{Deserialize, Serialize};

/// A socket, and what is known of its connection.
#[derive(Debug)]
pub struct PassedSocket {
    pub stream: OwnedFd,
    pub about: About,
}

/// What is known of a connection, as it goes to the successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub connection: PassedConnection,
    /// Bytes that were read and belong to a frame that is not whole yet.
    pub unread: Vec<u8>,
    /// Bytes of frames that the socket did not take yet.
    pub unsent: Vec<u8>,
}

/// Where shards leave sockets for the successor.
#[derive(Debug, Default)]
pub struct PassedSockets(Mutex<Vec<PassedSocket>>);

impl PassedSockets {
    pub fn push(&self, socket: PassedSocket) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
    }

    #[must_use]
    pub fn take(&self) -> Vec<PassedSocket> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
