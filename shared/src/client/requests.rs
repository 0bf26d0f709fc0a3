//! Requests on their way, and what came of them.

use std::collections::VecDeque;

use crate::protocol::message::{ClientMsg, Outcome, Request};
use crate::time::MonoTime;

/// Time after which a request without an answer is given up, in microseconds.
const TIMEOUT_US: u64 = 5_000_000;
/// Requests on their way at the most: more than the server takes at once.
pub const ON_THE_WAY_MAX: usize = 64;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The server's word.
    Came(Outcome),
    /// None came in time, or the connection was lost.
    None,
}

/// Requests on their way, oldest first.
#[derive(Debug, Default)]
pub struct Requests {
    last: u32,
    waiting: VecDeque<(u32, MonoTime)>,
}

impl Requests {
    /// Numbers a request that goes out now; `None` if too many are on their way.
    pub fn send(&mut self, now: MonoTime, request: Request) -> Option<(u32, ClientMsg)> {
        if self.waiting.len() >= ON_THE_WAY_MAX {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        self.waiting.push_back((self.last, now));
        Some((self.last, ClientMsg::Request { id: self.last, request }))
    }

    /// A reply came: whether it was waited for.
    pub fn take(&mut self, id: u32) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != id);
        self.waiting.len() < before
    }

    /// The next request that waited too long.
    pub fn expire(&mut self, now: MonoTime) -> Option<u32> {
        let late = |(_, at): &mut (u32, MonoTime)| now.us_since(*at) >= TIMEOUT_US;
        self.waiting.pop_front_if(late).map(|(id, _)| id)
    }

    /// The next request of a connection that is lost.
    pub fn drop_one(&mut self) -> Option<u32> {
        self.waiting.pop_front().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_once_or_given_up_in_time() {
        let mut requests = Requests::default();
        let mut ask = |at| requests.send(MonoTime(at), Request::Exit).map(|(id, _)| id).expect("room for it");
        let (first, second) = (ask(0), ask(1_000_000));
        assert!(requests.take(second) && !requests.take(second));
        assert_eq!(requests.expire(MonoTime(4_999_999)), None);
        assert_eq!(requests.expire(MonoTime(5_000_000)), Some(first));
        assert!(!requests.take(first), "an answer after that is not waited for");
        while requests.send(MonoTime(6_000_000), Request::Exit).is_some() {}
        assert_eq!(requests.waiting.len(), ON_THE_WAY_MAX);
    }
}
