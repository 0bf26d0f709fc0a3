//! Nodes of a cluster on a real NATS server and a real PostgreSQL server, each test with its own.
//!
//! | module | what it shows |
//! |---|---|
//! | [`places`] | rooms, codes and sessions are found on whatever node |
//! | [`words`] | chat, direct messages, announcements and moderation cross nodes |
//! | [`faults`] | an engine, a link or a node that fails |
//! | [`nats`], [`scene`] | fixtures |

mod faults;
mod nats;
mod places;
mod scene;
mod words;
