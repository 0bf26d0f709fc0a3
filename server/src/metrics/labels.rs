//! The closed sets of label values, and a metric for each value of a set.

use std::fmt;

use broadside_shared::protocol::close::CloseCode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::{Family, MetricConstructor};

/// A closed set of values of one label.
pub trait Label: EncodeLabelSet + fmt::Debug + Copy + Eq + std::hash::Hash + Send + Sync + 'static {
    /// Every value, in the order of their indexes.
    const ALL: &'static [Self];

    /// Place of this value in [`Label::ALL`].
    fn index(self) -> usize;
}

/// One metric for each value of a label. Reaching one is an index and neither a lock nor a hash.
#[derive(Debug)]
pub struct PerLabel<L: Label, M> {
    family: Family<L, M, fn() -> M>,
    each: Vec<M>,
}

impl<L: Label, M: Clone> PerLabel<L, M>
where
    fn() -> M: MetricConstructor<M>,
{
    /// Makes every one of them with `make`.
    pub fn new(make: fn() -> M) -> Self {
        let family = Family::new_with_constructor(make);
        let each = L::ALL.iter().map(|label| family.get_or_create_owned(label)).collect();
        PerLabel { family, each }
    }

    /// The one for this value.
    pub fn of(&self, label: L) -> &M {
        &self.each[label.index()]
    }

    /// All of them, to be registered.
    pub fn family(&self) -> &Family<L, M, fn() -> M> {
        &self.family
    }
}

/// Declares a label: its key, and an enum whose variants have a name on the wire each.
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
    /// What a part of a tick does.
    TickPhase = "phase" {
        /// Takes the commands and one input per player.
        Inputs = "inputs",
        /// Steps the game.
        Step = "step",
        /// Records poses for the judging of shots.
        History = "history",
        /// Puts the state into cells.
        Capture = "capture",
        /// Says what to tell whom.
        Outgoing = "outgoing",
    }
}

label! {
    /// Which way something was changed.
    Direction = "direction" {
        /// Less is sent.
        Down = "down",
        /// More is sent again.
        Up = "up",
    }
}

label! {
    /// What bytes to a client are.
    ByteClass = "class" {
        /// The head of a snapshot and the own ship.
        PlayerState = "player_state",
        /// Which cells follow and what they are relative to.
        CellHeads = "cell_heads",
        /// The ships and pickups of cells.
        Cells = "cells",
        /// Shots, hits and the like inside cells.
        Events = "events",
        /// Small words to one player inside a snapshot.
        Updates = "updates",
        /// Control messages: welcome, joined, pong and the like.
        Control = "control",
        /// Headers of WebSocket frames.
        WsHeaders = "ws_headers",
    }
}

label! {
    /// How a request to join ended.
    JoinResult = "result" {
        /// With a seat.
        Seated = "seated",
        /// With a place in line; counted once, and once more with how that ends.
        Waited = "waited",
        /// Without a seat.
        Refused = "refused",
    }
}

label! {
    /// Of what an address had, or asked for, more than one may.
    AddressLimit = "limit" {
        /// Open connections.
        Connections = "connections",
        /// Connections that have asked for nothing yet.
        HalfOpen = "half_open",
        /// Requests over HTTP in a time.
        Requests = "requests",
        /// Bytes of answers on their way.
        InFlight = "in_flight",
        /// Codes looked up in a time.
        LookUps = "look_ups",
        /// Rooms opened and seats reserved in a time.
        RoomCreations = "room_creations",
        /// Rooms open.
        Rooms = "rooms",
        /// Seats.
        Seats = "seats",
        /// Seats of lost connections: one was given up.
        Kept = "kept",
        /// Places to watch from.
        Watching = "spectators",
        /// Places in line.
        InQueue = "in_queue",
        /// Reserved seats.
        Reserved = "reserved",
    }
}

/// How a WebSocket ended: its close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Closed(u16);

impl Closed {
    /// Without a close frame. RFC 6455, section 7.1.5, gives this number to it; it never goes over a wire.
    pub const TORN: Closed = Closed(1006);

    /// With this code.
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
