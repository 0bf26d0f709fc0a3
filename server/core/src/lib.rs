//! The server without sockets, clocks, threads and locks: stepping of rooms, admission, and the fan-out to each connection.
//!
//! Time, chance and all state shared with other threads are arguments. The same code therefore runs behind epoll, inside the server's
//! own bots, and in a simulation that a seed reproduces. The crate's `clippy.toml` bans clocks, threads, locks, sockets and hash maps.
//!
//! | module | what it holds |
//! |---|---|
//! | [`commands`] | ids, and the commands that rooms and shards exchange |
//! | [`messages`] | messages encoded once, and the queues they wait in |
//! | [`results`] | what rooms leave behind: the results of matches and stays |
//! | [`subscriptions`] | a session's subscriptions and mutes, and the messages queued for it |
//! | [`bucket`] | the token bucket behind the rate limits |
//! | [`lobby`] | what a core needs from the rest of the server, as two traits |
//! | [`room`] | one match: inputs, the game, history, one output per tick |
//! | [`admission`] | join queue, reservations, matchmaking, the governor |
//! | [`room_loop`] | a room with its seats: commands in, a tick, commands to the shards out |
//! | [`fanout`] | what each connection is sent, and when |
//! | [`connection`] | one connection: its protocol and its membership in a room |
//! | [`shard`] | a set of connections and the fan-out of their rooms |
//!
//! A module imports only modules above it in this table.

#![expect(
    missing_docs,
    reason = "used inside this workspace only: comments give units, reasons and contracts and do not repeat names"
)]

pub mod admission;
pub mod bucket;
pub mod commands;
pub mod connection;
pub mod fanout;
pub mod lobby;
pub mod messages;
pub mod results;
pub mod room;
pub mod room_loop;
pub mod shard;
pub mod subscriptions;
#[cfg(test)]
mod testing;
