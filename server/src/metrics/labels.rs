//! Closed sets of label values, and one metric per value.

use std::fmt;

use broadside_shared::protocol::close::CloseCode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::{Family, MetricConstructor};

/// A closed set of values of a label.
pub trait Label: EncodeLabelSet + fmt::Debug + Copy + Eq + std::hash::Hash + Send + Sync + 'static {
    /// Every value, in index order.
    const ALL: &'static [Self];

    /// Index of this value in [`Label::ALL`].
    fn index(self) -> usize;
}

/// One metric per label value. Access is by index, without a lock or a hash.
#[derive(Debug)]
pub struct PerLabel<L: Label, M> {
    family: Family<L, M, fn() -> M>,
    each: Vec<M>,
}

impl<L: Label, M: Clone> PerLabel<L, M>
where
    fn() -> M: MetricConstructor<M>,
{
    /// Makes each metric with `make`.
    pub fn new(make: fn() -> M) -> Self {
        let family = Family::new_with_constructor(make);
        let each = L::ALL.iter().map(|label| family.get_or_create_owned(label)).collect();
        PerLabel { family, each }
    }

    /// The metric for this value.
    pub fn of(&self, label: L) -> &M {
        &self.each[label.index()]
    }

    /// All metrics, for registration.
    pub fn family(&self) -> &Family<L, M, fn() -> M> {
        &self.family
    }
}

/// Declares a label: its key, and an enum whose variants each have a label value.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident = $key:literal { $($(#[$variant_doc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl Label for $name {
            const ALL: &'static [Self] = &[$($name::$variant),*];

            fn index(self) -> usize {
                self as usize
            }
        }

        impl EncodeLabelSet for $name {
            fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
                let value = match self {
                    $($name::$variant => $value,)*
                };
                [($key, value)].encode(encoder)
            }
        }
    };
}

label! {
    /// A phase of a tick.
    TickPhase = "phase" {
        /// Takes commands and one input per player.
        Inputs = "inputs",
        /// Steps the game.
        Step = "step",
        /// Records poses for lag compensation.
        History = "history",
        /// Captures the state into cells.
        Capture = "capture",
        /// Encodes updates for the clients.
        Outgoing = "outgoing",
    }
}

label! {
    /// The direction of a change of the update rate.
    Direction = "direction" {
        /// Fewer updates.
        Down = "down",
        /// More updates again.
        Up = "up",
    }
}

label! {
    /// The content of bytes sent to a client.
    ByteClass = "class" {
        /// The snapshot header and the local player state.
        PlayerState = "player_state",
        /// The list of cells and their baselines.
        CellHeads = "cell_heads",
        /// Entities in cells.
        Cells = "cells",
        /// Events in cells, such as shots and hits.
        Events = "events",
        /// Room updates to one player inside a snapshot.
        Updates = "updates",
        /// Control messages, such as welcome, joined and pong.
        Control = "control",
        /// Headers of WebSocket frames.
        WsHeaders = "ws_headers",
    }
}

label! {
    /// Result of a join request.
    JoinResult = "result" {
        /// Got a seat.
        Seated = "seated",
        /// Entered the join queue; counted again with the final result.
        Queued = "queued",
        /// Refused.
        Refused = "refused",
    }
}

label! {
    /// Result of an attempt to sign in, to confirm or to recover.
    SignInResult = "result" {
        /// A browser is signed in.
        SignedIn = "signed_in",
        /// The password was wrong.
        Wrong = "wrong",
        /// Refused after too many wrong passwords.
        TooFast = "too_fast",
        /// Refused because too many passwords waited to be hashed.
        Busy = "busy",
    }
}

label! {
    /// The limit that an address exceeded.
    AddressLimit = "limit" {
        /// Open connections.
        Connections = "connections",
        /// Connections before their first request.
        HalfOpen = "half_open",
        /// Rate of HTTP requests.
        Requests = "requests",
        /// Bytes of responses in flight.
        InFlight = "in_flight",
        /// Rate of code look-ups.
        LookUps = "look_ups",
        /// Rate of room creations and reservations.
        RoomCreations = "room_creations",
        /// Rate of new accounts of guests.
        Guests = "guests",
        /// Rate of attempts to sign in.
        Credentials = "credentials",
        /// Open rooms.
        Rooms = "rooms",
        /// Seats.
        Seats = "seats",
        /// Parked seats of lost connections: the oldest was given up.
        ParkedSeats = "parked_seats",
        /// Spectators.
        Spectators = "spectators",
        /// Positions in a join queue.
        InQueue = "in_queue",
        /// Reserved seats.
        Reserved = "reserved",
    }
}

/// The close code of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Closed(u16);

impl Closed {
    /// No close frame. RFC 6455, section 7.1.5, defines this code for it; it is never sent.
    pub const TORN: Closed = Closed(1006);

    /// This close code.
    #[must_use]
    pub fn with(code: CloseCode) -> Self {
        Closed(code.code())
    }
}

impl EncodeLabelSet for Closed {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        [("code", self.0)].encode(encoder)
    }
}
