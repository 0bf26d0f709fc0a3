//! One bot: a client and its session, back to back.

use std::sync::Arc;

use broadside_shared::arena::Arena;
use broadside_shared::arena::ai::player::AiPlayer;
use broadside_shared::client::{Client, ClientConfig, Detail};
use broadside_shared::protocol::message::{Outcome, Refusal};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;

use crate::App;
use crate::driver::{ConnectionId, JoinMethod, JoinRequest, RoomCommand, RoomHandle, SeatAssignment};
use crate::limits::holds::Hold;
use crate::lobby::names::FitName;
use crate::room::flow::Flow;
use crate::session::{Session, SessionOutput};

/// What bots are called; a number is put behind a name that is taken.
const NAMES: [&str; 24] = [
    "Marlin", "Osprey", "Kestrel", "Petrel", "Corsair", "Dorado", "Halyard", "Bowsprit", "Capstan", "Fathom", "Galley",
    "Gannet", "Grapnel", "Jib", "Lugger", "Mizzen", "Narwhal", "Orca", "Pelican", "Sextant", "Tern", "Trawler",
    "Wherry", "Zephyr",
];

/// A bot.
pub(super) struct Bot {
    pub(super) me: ConnectionId,
    pub(super) room: Arc<RoomHandle<Arena>>,
    pub(super) flow: Flow,
    session: Session<Arena>,
    session_id: u64,
    client: Client<Arena>,
    mind: AiPlayer,
    seated: Option<SeatAssignment>,
    commands: Vec<RoomCommand<Arena>>,
    failed: bool,
}

impl Bot {
    pub(super) fn new(me: ConnectionId, room: &Arc<RoomHandle<Arena>>, now: MonoTime, app: &App<Arena>) -> Self {
        let name = Name::new(&format!("bot {}", NAMES[fastrand::usize(..NAMES.len())])).expect("short and visible");
        let mut client = Client::new(ClientConfig {
            name,
            agent: "bot".to_owned(),
            room: Some(RoomChoice::Room(room.id)),
            role: Role::Play,
            detail: Detail::Replica,
        });
        client.handle_open(now);
        let mut bot = Bot {
            me,
            room: Arc::clone(room),
            flow: Flow::default(),
            session: Session::new(now),
            session_id: 0,
            client,
            mind: AiPlayer::new(fastrand::u64(..), fastrand::f32() * 0.6 + 0.2),
            seated: None,
            commands: Vec::new(),
            failed: false,
        };
        bot.exchange(now, app);
        bot
    }

    /// The room gave it a seat. It knows so at once: with a new seat a client forgets the world, which the snapshots to come build on.
    pub(super) fn handle_seated(&mut self, seated: SeatAssignment, now: MonoTime, app: &App<Arena>) {
        self.seated = Some(seated);
        self.session.handle_seated(&self.room.joined(seated));
        self.exchange(now, app);
    }

    /// A frame of the server's comes.
    pub(super) fn hear(&mut self, now: MonoTime, frame: &[u8], app: &App<Arena>) {
        if let Err(wrong) = self.client.handle_frame(now, frame) {
            // Our own bytes: a fault worth a line, and not the end of the server.
            tracing::error!(%wrong, room = %self.room.id, "a bot does not understand the server, and goes");
            app.metrics.bot_failures.inc();
            self.failed = true;
        }
    }

    /// What it knows is of no further use: another one takes its place.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Runs the ticks that are due.
    pub(super) fn play(&mut self, now: MonoTime, app: &App<Arena>) {
        let input = self.mind.decide(&self.client);
        self.client.advance(now, &input);
        while self.client.poll_event().is_some() {}
        self.exchange(now, app);
        if !self.commands.is_empty() {
            self.room.send_all(&mut self.commands);
        }
    }

    /// It goes: its seat is free.
    pub(super) fn leave(self, app: &App<Arena>) {
        let command = self.seated.map_or(RoomCommand::Gone(self.me), RoomCommand::Leave);
        // A room that is over has no seat to free.
        let _ = self.room.send(command);
        app.sessions.detach(self.session_id, self.me);
    }

    /// Carries frames between client and session until both are silent.
    fn exchange(&mut self, now: MonoTime, app: &App<Arena>) {
        loop {
            if let Some(frame) = self.client.poll_frame() {
                self.session.handle_frame(now, &frame);
            } else if let Some(output) = self.session.poll_output() {
                self.follow(output, now, app);
            } else {
                return;
            }
        }
    }

    fn follow(&mut self, output: SessionOutput<broadside_shared::arena::ArenaInput>, now: MonoTime, app: &App<Arena>) {
        match output {
            SessionOutput::Send(frame) => self.hear(now, &frame, app),
            SessionOutput::Ping => self.session.handle_alive(now),
            SessionOutput::Hello(_) => {
                let token = app.sessions.open(self.me);
                self.session_id = token.session;
                self.session.handle_welcome(token, None);
            }
            SessionOutput::Join(name, _, role) => {
                let name = app.sessions.call(self.session_id, &FitName::of_bot(name));
                let (peer, session) = (self.me, self.session_id);
                let (hold, in_queue) = (Hold::default(), Hold::default());
                let request =
                    JoinRequest { name, role, by: JoinMethod::Public, peer, session, address: None, hold, in_queue };
                // A room that is over says nothing more; whoever looks after the bots sees that.
                let _ = self.room.send(RoomCommand::Join(request));
            }
            SessionOutput::Request(id, _) => {
                self.session.handle_outcome(id, Outcome::Refused(Refusal::NotAllowed));
            }
            SessionOutput::Input(packet) => {
                self.flow.handle_ack(packet.acked, now);
                if let Some(seated) = self.seated {
                    self.commands.push(RoomCommand::Input(seated, packet, now));
                }
            }
            // It only closes on nonsense, and a bot talks none.
            SessionOutput::Close(code) => {
                tracing::error!(code = code.code(), "a bot was refused");
                app.metrics.bot_failures.inc();
                self.failed = true;
            }
        }
    }
}
