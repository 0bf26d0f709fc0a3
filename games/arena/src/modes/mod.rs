//! Rules of modes with teams and rounds; an open arena uses none of them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`referee`] | the phases of a match, from waiting to the results, and its winner |
//! | [`teams`] | team membership and friends |
//! | [`zone`] | the zone that a team holds for points |
//! | [`ground`] | the size of the arena, the positions of rocks and of launches |

pub(super) mod ground;
pub(super) mod referee;
pub(super) mod teams;
pub(super) mod zone;

pub(super) use referee::Referee;

#[cfg(test)]
mod tests;
