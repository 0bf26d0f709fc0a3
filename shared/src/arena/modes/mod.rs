//! The rules on top of the game where a match has teams and rounds; an open arena has none of it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`referee`] | the stages of a match, from waiting to the results, and who wins |
//! | [`teams`] | who fights for which team, and who is a friend |
//! | [`zone`] | the place that a team holds for points |
//! | [`ground`] | the size of the arena, where rocks lie and where ships begin |

pub(super) mod ground;
pub(super) mod referee;
pub(super) mod teams;
pub(super) mod zone;

pub(super) use referee::Referee;

#[cfg(test)]
mod tests;
