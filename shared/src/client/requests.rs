//! Unanswered requests, and their answers.

use std::collections::VecDeque;

use crate::protocol::message::{ClientMsg, Outcome, Request};
use crate::time::MonoTime;

/// Time after which an unanswered request is given up, in microseconds.
const TIMEOUT_US: u64 = 5_000_000;
/// Most unanswered requests: more than the server accepts at once.
pub const UNANSWERED_MAX: usize = 64;

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The server's answer.
    Received(Outcome),
    /// No answer arrived in time, or the connection was lost.
    None,
}

/// Unanswered requests, oldest first.
#[derive(Debug, Default)]
pub struct Requests {
    last: u32,
    waiting: VecDeque<(u32, MonoTime)>,
}

impl Requests {
    /// Assigns a number to a request that is sent now; `None` if too many are unanswered.
    pub fn send(&mut self, now: MonoTime, request: Request) -> Option<(u32, ClientMsg)> {
        if self.waiting.len() >= UNANSWERED_MAX {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        self.waiting.push_back((self.last, now));
        Some((self.last, ClientMsg::Request { id: self.last, request }))
    }

    /// Takes a reply; says whether its request was unanswered.
    pub fn take(&mut self, id: u32) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != id);
        self.waiting.len() < before
    }

    /// Removes the next request that has waited too long.
    pub fn expire(&mut self, now: MonoTime) -> Option<u32> {
        let late = |(_, at): &mut (u32, MonoTime)| now.us_since(*at) >= TIMEOUT_US;
        self.waiting.pop_front_if(late).map(|(id, _)| id)
    }

    /// Removes the next request of a lost connection.
    pub(crate) fn drop_one(&mut self) -> Option<u32> {
        self.waiting.pop_front().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_once_or_given_up_in_time() {
        let mut requests = Requests::default();
        let mut ask = |at| requests.send(MonoTime(at), Request::Exit).map(|(id, _)| id).expect("below the limit");
        let (first, second) = (ask(0), ask(1_000_000));
        assert!(requests.take(second) && !requests.take(second));
        assert_eq!(requests.expire(MonoTime(4_999_999)), None);
        assert_eq!(requests.expire(MonoTime(5_000_000)), Some(first));
        assert!(!requests.take(first), "a later answer is ignored");
        while requests.send(MonoTime(6_000_000), Request::Exit).is_some() {}
        assert_eq!(requests.waiting.len(), UNANSWERED_MAX);
    }
}
