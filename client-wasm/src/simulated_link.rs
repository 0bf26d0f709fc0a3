//! A simulated link between the socket and the client: frames take the time of a distant or congested link. It exists only while
//! the network lab asks for it.

use broadside_shared::link::{LinkProfile, Pipe, Stalls};
use broadside_shared::time::MonoTime;

#[derive(Debug)]
pub(crate) struct SimulatedLink {
    profile: LinkProfile,
    /// The link's own time starts here, so that the first stall or freeze comes after a while and not at once.
    began: MonoTime,
    down: Pipe,
    up: Pipe,
    freezes: Option<Stalls>,
    /// When the client was last frozen.
    frozen_at: MonoTime,
    /// The socket's close code, delivered after all earlier frames.
    pub(crate) closed: Option<u16>,
}

impl SimulatedLink {
    /// A link with this profile that starts `now`. Equal seeds give equal links.
    #[must_use]
    pub(crate) fn new(profile: LinkProfile, now: MonoTime, seed: u64) -> Self {
        let (down, up) = profile.pipes(seed);
        let freezes = profile.freezes(seed);
        SimulatedLink { profile, began: now, down, up, freezes, frozen_at: MonoTime(0), closed: None }
    }

    /// The profile, with the delay and jitter that were last set.
    #[must_use]
    pub(crate) fn profile(&self) -> &LinkProfile {
        &self.profile
    }

    /// Sets delay and jitter, in milliseconds, of all later frames.
    pub(crate) fn set_delay(&mut self, delay_ms: f64, jitter_ms: f64) {
        (self.profile.delay_ms, self.profile.jitter_ms) = (delay_ms, jitter_ms);
        self.down.set_delay(delay_ms, jitter_ms);
        self.up.set_delay(delay_ms, jitter_ms);
    }

    /// Takes over the frames in flight on another link: none may get lost.
    pub(crate) fn take_over(&mut self, mut old: SimulatedLink, now: MonoTime) {
        let (at, end) = (self.time(now), MonoTime(u64::MAX));
        while let Some(frame) = old.down.receive(end) {
            self.down.send(at, frame);
        }
        while let Some(frame) = old.up.receive(end) {
            self.up.send(at, frame);
        }
        self.closed = old.closed;
    }

    /// Sends a frame from the server.
    pub(crate) fn send_down(&mut self, now: MonoTime, frame: Vec<u8>) {
        let at = self.time(now);
        self.down.send(at, frame);
    }

    /// The next frame that has reached the client by `now`, and when it arrived.
    pub(crate) fn receive_down(&mut self, now: MonoTime) -> Option<(MonoTime, Vec<u8>)> {
        let came = self.began.plus_us(self.down.next_arrival()?.0);
        let frame = self.down.receive(self.time(now))?;
        // A frozen client reads only now what arrived meanwhile.
        Some((came.max(self.frozen_at), frame))
    }

    /// Whether the client's end accepts another frame.
    #[must_use]
    pub(crate) fn takes_more(&self) -> bool {
        self.up.takes_more()
    }

    /// Sends a frame from the client.
    pub(crate) fn send_up(&mut self, now: MonoTime, frame: Vec<u8>) {
        let at = self.time(now);
        self.up.send(at, frame);
    }

    /// The next frame that has reached the server's side by `now`.
    pub(crate) fn receive_up(&mut self, now: MonoTime) -> Option<Vec<u8>> {
        self.up.receive(self.time(now))
    }

    /// Whether no frame is in flight.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        self.down.next_arrival().is_none() && self.up.next_arrival().is_none()
    }

    /// The socket's close code, once all earlier frames have reached the client. Frames that the client still sends are lost.
    #[must_use]
    pub(crate) fn ended(&self) -> Option<u16> {
        self.closed.filter(|_| self.down.next_arrival().is_none())
    }

    /// Whether the client is frozen at `now`, like a tab that the browser froze: it reads nothing and does nothing.
    pub(crate) fn is_frozen(&mut self, now: MonoTime) -> bool {
        let time = self.time(now);
        let frozen = self.freezes.as_mut().is_some_and(|stalls| stalls.stalled_until(time).is_some());
        if frozen {
            self.frozen_at = now;
        }
        frozen
    }

    fn time(&self, now: MonoTime) -> MonoTime {
        MonoTime(now.us_since(self.began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: MonoTime = MonoTime(90_000_000);

    fn link(name: &str) -> SimulatedLink {
        SimulatedLink::new(LinkProfile::named(name).expect("a known name"), START, 5)
    }

    #[test]
    fn a_frame_arrives_after_the_delay_with_its_time_of_arrival() {
        let mut far = link("far");
        far.send_down(START, vec![1]);
        far.send_up(START, vec![2]);
        assert_eq!(far.receive_down(START.plus_ms(50)), None);
        assert_eq!(far.receive_up(START.plus_ms(50)), None);
        let (came, frame) = far.receive_down(START.plus_ms(90)).expect("came");
        assert_eq!(frame, [1]);
        assert!((55.0..=65.1).contains(&came.ms_since(START)), "{came:?}");
        assert_eq!(far.receive_up(START.plus_ms(90)), Some(vec![2]));
        assert!(far.is_idle());
    }

    #[test]
    fn the_close_code_arrives_after_all_frames_whatever_the_client_still_sends() {
        let mut far = link("far");
        far.send_down(START, vec![1]);
        far.closed = Some(4006);
        far.send_up(START, vec![2]);
        assert_eq!(far.ended(), None);
        let now = START.plus_ms(90);
        assert!(far.receive_down(now).is_some());
        far.send_up(now, vec![3]);
        assert_eq!(far.ended(), Some(4006));
    }

    #[test]
    fn changing_the_link_loses_nothing_and_keeps_the_order() {
        let mut slow = link("very-bad");
        for n in 0..20 {
            slow.send_down(START, vec![n]);
        }
        let now = START.plus_ms(10);
        let mut clean = link("clean");
        clean.take_over(slow, now);
        let came: Vec<u8> = std::iter::from_fn(|| clean.receive_down(now)).map(|(_, frame)| frame[0]).collect();
        assert_eq!(came, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_tab_freezes_after_a_while_and_reads_the_arrivals_when_it_thaws() {
        let mut tab = link("tab-freeze");
        assert!(!tab.is_frozen(START.plus_ms(9_000)));
        let froze = (9_000..30_000).map(|ms| START.plus_ms(ms)).find(|at| tab.is_frozen(*at)).expect("freezes");
        tab.send_down(froze, vec![1]);
        let thaws = (1..70_000).map(|ms| froze.plus_ms(ms)).find(|at| !tab.is_frozen(*at)).expect("thaws");
        assert!(thaws.ms_since(froze) > 4_900.0);
        let (came, _) = tab.receive_down(thaws).expect("waiting");
        assert!(thaws.ms_since(came) < 2.0);
    }
}
