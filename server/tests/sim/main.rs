//! The whole system in virtual time: server and clients, joined by simulated links, on one thread, from a seed. Nothing here sleeps; a
//! minute of play takes as long as it takes to compute.

mod accounts;
mod chaos;
mod feel;
mod host;
mod modes;
mod rail;
mod resume;
mod whole;
