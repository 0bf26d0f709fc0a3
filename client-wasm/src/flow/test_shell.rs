//! The shell of the flow's tests: answers the actions that ask something, and collects the rest.

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::toy::Toy;

use super::state::ConnectionEnd;
use super::*;

pub(super) const NOW: MonoTime = MonoTime(60_000_000);
pub(super) const HOME: &str = "wss://home.example/ws";

/// A page and its shell: the name field holds `name`, and the browser opens every socket.
pub(super) struct Shell {
    pub(super) page: PageFlow,
    pub(super) name: Option<Name>,
    pub(super) now: MonoTime,
}

impl Shell {
    pub(super) fn open(start: PageStart<'_>) -> (Shell, Vec<PageAction>) {
        let page = PageFlow::new(Nodes::new(HOME, 7), Toy::MODES);
        let mut shell = Shell { page, name: start.name.clone(), now: NOW };
        shell.page.handle_open(start);
        let actions = shell.drain();
        (shell, actions)
    }

    /// A page that plays in any room.
    pub(super) fn playing() -> Shell {
        let (mut shell, _) = Shell::open(PageStart { autojoin: true, name: name("Ann"), ..PageStart::default() });
        shell.seat(Role::Play);
        assert_eq!(*shell.page.state(), PageState::Playing { spectating: false, resumed: false });
        shell
    }

    pub(super) fn drain(&mut self) -> Vec<PageAction> {
        let mut actions = Vec::new();
        while let Some(action) = self.page.poll_action() {
            match action {
                PageAction::TakeName => self.page.handle_name(self.name.clone()),
                PageAction::Connect => {
                    self.page.handle_connecting();
                    actions.push(PageAction::Connect);
                }
                action => actions.push(action),
            }
        }
        actions
    }

    pub(super) fn report(&mut self, report: ConnectionReport) -> Vec<PageAction> {
        self.page.handle_connection(self.now, report, None);
        self.drain()
    }

    pub(super) fn reach(&mut self, phase: Phase) -> Vec<PageAction> {
        self.report(unseated(phase))
    }

    pub(super) fn seat(&mut self, role: Role) -> Vec<PageAction> {
        let report = ConnectionReport {
            phase: Phase::Playing,
            role: Some(role),
            has_player_state: role == Role::Play,
            queue_position: None,
            opened: true,
        };
        self.report(report)
    }

    /// Loses the connection in a phase; the socket was open unless the phase is [`Phase::Greeting`].
    pub(super) fn lose(&mut self, phase: Phase, end: ConnectionEnd) -> Vec<PageAction> {
        self.end(phase, LostConnection { end, reason: String::new(), redirect: None, nodes: None })
    }

    /// The server sends the page to another node.
    pub(super) fn redirect(&mut self, phase: Phase, url: &str) -> Vec<PageAction> {
        let end = ConnectionEnd::Closed(CloseCode::Restarting.code());
        self.end(phase, LostConnection { end, reason: String::new(), redirect: Some(url.to_owned()), nodes: None })
    }

    pub(super) fn end(&mut self, phase: Phase, lost: LostConnection) -> Vec<PageAction> {
        self.page.handle_connection(self.now, unseated(phase), Some(lost));
        self.drain()
    }

    pub(super) fn close(&mut self, phase: Phase, code: CloseCode) -> Vec<PageAction> {
        self.lose(phase, ConnectionEnd::Closed(code.code()))
    }

    /// Lets time pass until the page connects; gives the pause in milliseconds.
    pub(super) fn wait_for_connect(&mut self) -> u64 {
        for ms in 0..20_000 {
            self.page.handle_time(self.now);
            if self.drain().contains(&PageAction::Connect) {
                return ms;
            }
            self.now = self.now.plus_ms(1);
        }
        panic!("the page does not connect: {:?}", self.page);
    }

    pub(super) fn at(&mut self, now: MonoTime) -> Vec<PageAction> {
        self.page.handle_time(now);
        self.drain()
    }
}

/// The report of a connection without a seat.
pub(super) fn unseated(phase: Phase) -> ConnectionReport {
    let opened = phase != Phase::Greeting;
    ConnectionReport { phase, role: None, has_player_state: false, queue_position: None, opened }
}

pub(super) fn name(name: &str) -> Option<Name> {
    Some(Name::new(name).expect("a valid name"))
}
