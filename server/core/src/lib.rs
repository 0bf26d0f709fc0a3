//! The server without sockets, clocks, threads and locks: what is stepped, who may come, and what each connection is sent.
//!
//! Time, chance and everything that other threads share come in as arguments. The same code therefore runs behind epoll, inside the
//! server's own bots, and in a simulation that a seed repeats. The crate's `clippy.toml` bans clocks, threads, locks, sockets and hash
//! maps.
//!
//! | module | what it holds |
//! |---|---|
//! | [`commands`] | ids, and what rooms and shards say to each other |
//! | [`messages`] | messages encoded once, and the queues they wait in |
//! | [`subscriptions`] | what a session is subscribed to, whom it mutes, and what waits for it |
//! | [`bucket`] | rate limits |
//! | [`lobby`] | what a core asks of the rest of the server, as two traits |
//! | [`room`] | what is stepped: inputs, the game, history, one output per tick |
//! | [`admission`] | who may come: join queue, reservations, matchmaking, the governor |
//! | [`room_loop`] | a room with its seats: commands in, a tick, commands to the shards out |
//! | [`fanout`] | what each connection is sent, and when |
//! | [`connection`] | one connection: its protocol, and where in the rooms it is |
//! | [`shard`] | some connections and the fan-out of their rooms |
//!
//! A module imports only modules above it in this table.

#![expect(
    missing_docs,
    reason = "a crate of this workspace only: comments give units, reasons and contracts, not names again"
)]

pub mod admission;
pub mod bucket;
pub mod commands;
pub mod connection;
pub mod fanout;
pub mod lobby;
pub mod messages;
pub mod room;
pub mod room_loop;
pub mod shard;
pub mod subscriptions;
