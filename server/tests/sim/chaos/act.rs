//! What the events of a plan do.

use std::collections::BTreeSet;

use broadside_core::commands::{Hold, RoomCommand, SeatAssignment};
use broadside_server::checkpoints::segment::Segment;
use broadside_server::lobby::directory::Rooms as _;
use broadside_server::rooms::handle::RoomHandle;
use broadside_server::rooms::mailbox::MAILBOX_MAX;
use broadside_shared::client::Phase;
use broadside_shared::ids::{AccountId, PlayerId, RoomId};
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::codec::encode_value;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::Request;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::{MonoTime, Tick};

use super::plan::{Chat, Place, What};
use super::run::{ChaosGame, Player, Run, STRAY_MS, client, name};

impl<G: ChaosGame> Run<G> {
    /// Does what the plan says.
    pub(super) fn act(&mut self, what: What) {
        let disturbed = what.disturbs(self.players.len());
        disturbed.for_each(|index| self.players[index].is_disturbed = true);
        match what {
            What::Open(index) => self.open(index),
            What::TakeOver(index) => {
                self.abandon(index);
                self.open(index);
            }
            What::Reload(index, keeps_socket) => self.reload(index, keeps_socket),
            What::Lose(index) => self.lose(index),
            What::Cut(index, ms) => self.cut(index, ms),
            What::Freeze(index, ms) => self.players[index].frozen_until = self.now.plus_ms(ms),
            What::ClockJump(index, ms) => self.players[index].ahead_us += ms * 1000,
            What::Pause(ms) => self.pause(ms),
            What::HandOver(ms) => self.hand_over(ms),
            What::Checkpoint => self.checkpoint(),
            What::Crash(ms) => self.crash(ms),
            What::LagShard(shard, ms) => self.lagging[shard] = Some((self.now, self.now.plus_ms(ms))),
            What::FailShard(shard) => {
                self.checks.shard_fails(&self.server, shard);
                self.server.fail_shard(shard);
            }
            What::LagRoom(room, ms) => {
                let id = self.room(room).id();
                self.lagging_rooms.insert(id, self.now.plus_ms(ms));
            }
            What::Retire(room) => self.room(room).retire(),
            What::Panic(room) => {
                let id = self.room(room).id();
                self.doomed.insert(id);
            }
            What::Flood(room) => flood(&self.room(room)),
            What::OpenRoom(mode, is_private) => {
                // As many as there may be are enough.
                drop(self.server.lobby.directory.open_ephemeral(mode, None, is_private, Hold::default()));
            }
            What::Reserve(index, room, comes) => self.reserve(index, room, comes),
            What::Garbage(index, count, value) => self.send_garbage(index, vec![value; count]),
            What::Join(index, place, role) => {
                let choice = self.choice(place);
                self.join(index, choice, role);
            }
            What::AskGame(index, variant) => {
                if let Some(request) = G::request(variant) {
                    self.request(index, Request::Game { body: encode_value(&request) });
                }
            }
            What::Exit(index) => self.join(index, None, Role::Play),
            What::Leave(index) => self.players[index].leave(),
            What::Rename(index) => self.rename(index),
            What::Say(..)
            | What::Direct(..)
            | What::Subscribe(..)
            | What::Unsubscribe(..)
            | What::Mute(..)
            | What::Unmute(..)
            | What::Follow(..) => self.ask(what),
        }
    }

    /// Sends the request that the plan says.
    fn ask(&mut self, what: What) {
        let (index, request) = match what {
            What::Say(index, chat) => {
                (index, Request::Say { topic: self.topic(index, chat).to_string(), text: self.text() })
            }
            What::Direct(index, to) => (index, Request::DirectMessage { to: self.name_of(to), text: self.text() }),
            What::Subscribe(index, chat) => (index, Request::Subscribe { topic: self.topic(index, chat).to_string() }),
            What::Unsubscribe(index, chat) => {
                (index, Request::Unsubscribe { topic: self.topic(index, chat).to_string() })
            }
            What::Mute(index, other) => (index, Request::Mute { name: self.name_of(other) }),
            What::Unmute(index, other) => (index, Request::Unmute { name: self.name_of(other) }),
            What::Follow(index, player) if player < 8 => (index, Request::Follow { player: PlayerId(player) }),
            // Of a place beyond the world, too.
            What::Follow(index, place) => (index, Request::Look { x: i32::from(place) * 9_000 - 80_000, y: 90 }),
            other => unreachable!("{other:?} is no request"),
        };
        self.request(index, request);
    }

    fn reload(&mut self, index: usize, keeps_socket: bool) {
        if !keeps_socket && let Some(link) = self.players[index].link.take() {
            self.server.lose(link);
        }
        self.abandon(index);
        let player = &mut self.players[index];
        let token = player.client.token();
        player.client = client(index, player.names, player.request);
        token.into_iter().for_each(|token| player.client.set_token(token));
        self.open(index);
    }

    fn lose(&mut self, index: usize) {
        if let Some(link) = self.players[index].link {
            self.server.lose(link);
        }
    }

    fn cut(&mut self, index: usize, ms: u64) {
        if let Some(link) = self.players[index].link
            && let Some(found) = self.server.links.get_mut(&link)
        {
            found.is_cut = true;
            self.cut_until.insert(link, self.now.plus_ms(ms));
        }
    }

    fn pause(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.server.set_time(self.now);
        self.server.pause(ms * 1000);
        self.server.lobby.sweep(ms * 1000, &*self.server.lobby.directory);
    }

    fn hand_over(&mut self, ms: u64) {
        // Some have sockets that cannot be passed on, as those with TLS.
        let (saved, passed) = self.server.stand_still(|link| !(u64::from(link) + ms).is_multiple_of(3));
        // What the last commands said is seen before the server is gone.
        self.look_at_taps();
        self.results.skip(&self.server, &saved);
        self.checks.links_are_lost();
        self.go_on(&saved, ms);
        passed.iter().for_each(|passed| self.checks.passed(passed.link, passed.connection.have));
        self.server.take_over(passed);
    }

    fn checkpoint(&mut self) {
        let mut saved = self.server.save();
        // Rooms leave their state at moments of their own.
        if let Some((before, _)) = &self.saved {
            for (id, room) in &before.rooms {
                if id.0 % 2 == 0 {
                    saved.rooms.insert(*id, room.clone());
                }
            }
        }
        self.saved = Some((saved, self.server.lobby.context.topics.newest()));
    }

    fn crash(&mut self, ms: u64) {
        let Some((saved, newest)) = self.saved.clone() else { return };
        self.look_at_taps();
        self.results.skip(&self.server, &saved);
        self.checks.crashed(newest);
        self.go_on(&saved, ms);
    }

    /// Another server goes on, after this many milliseconds without any.
    fn go_on(&mut self, saved: &Segment, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.server = self.server.go_on(&self.setup, saved, self.now);
        self.server.taps = Some(Vec::new());
        // What one server left is none for the one after the next.
        self.saved = None;
        (self.strays, self.doomed, self.panics) = (Vec::new(), BTreeSet::new(), 0);
        self.cut_until.clear();
        self.lagging.fill(None);
        self.lagging_rooms.clear();
    }

    fn reserve(&mut self, index: usize, room: usize, comes: bool) {
        let (room, address) = (self.room(room), self.players[index].address);
        if room.code.is_none()
            && let Ok(reservation) = self.server.lobby.directory.reserve(room.id(), address)
            && comes
        {
            self.join(index, Some(RoomChoice::Reserved { room: room.id(), reservation }), Role::Play);
        }
    }

    fn send_garbage(&mut self, index: usize, bytes: Vec<u8>) {
        if let Some(link) = self.players[index].link
            && let Some(found) = self.server.links.get_mut(&link)
        {
            found.up.send(self.now, bytes);
            self.checks.garbage(link);
        }
    }

    fn rename(&mut self, index: usize) {
        let player = &mut self.players[index];
        player.names += 1;
        let name = name(index, player.names);
        let local = self.now.plus_us(player.ahead_us);
        if player.client.phase() == Phase::Lobby {
            player.client.rename(local, name);
        } else {
            player.client.request(local, Request::SetName { name: name.as_str().to_owned() });
        }
    }

    pub(super) fn open(&mut self, index: usize) {
        let player = &mut self.players[index];
        if player.link.is_some() {
            return;
        }
        let seed = self.plan.seed.wrapping_add(index as u64 * 977 + u64::from(player.connections));
        let profile = if self.is_settling { LinkProfile::CLEAN } else { player.profile };
        player.connections += 1;
        (player.retry_at, player.code, player.has_left) = (None, None, false);
        // Some are guests, and some show another account each time: the session keeps the first. Two clients share each account.
        let account = AccountId([(index / 2) as u8 + (index % 3) as u8 * player.connections as u8; 16]);
        player.client.set_account((index % 4 != 3).then(|| self.server.sign(account)));
        player.link = Some(self.server.connect_from(player.address, profile.pipes(seed)));
        player.client.handle_open(self.now.plus_us(player.ahead_us));
    }

    /// The client goes on over another socket, while the server knows nothing of the end of this one.
    pub(super) fn abandon(&mut self, index: usize) {
        if let Some(old) = self.players[index].link.take() {
            self.strays.push((old, self.now.plus_ms(STRAY_MS)));
        }
    }

    pub(super) fn join(&mut self, index: usize, choice: Option<RoomChoice>, role: Role) {
        let player = &mut self.players[index];
        let local = self.now.plus_us(player.ahead_us);
        player.request = (choice, role);
        match choice {
            Some(choice) => player.client.switch(local, choice, role),
            None => player.client.exit(local),
        }
    }

    pub(super) fn request(&mut self, index: usize, request: Request) {
        let player = &mut self.players[index];
        if player.link.is_some() && player.client.phase() != Phase::Greeting {
            player.client.request(self.now.plus_us(player.ahead_us), request);
        }
    }

    /// A text that is said once.
    pub(super) fn text(&mut self) -> String {
        self.said += 1;
        format!("m#{:06}#", self.said)
    }

    pub(super) fn name_of(&self, index: usize) -> String {
        self.players[index].client.name().as_str().to_owned()
    }

    pub(super) fn topic(&self, index: usize, chat: Chat) -> Topic {
        let room = self.players[index].client.room().map_or(RoomId(1), |(room, ..)| room);
        match chat {
            Chat::Lobby => Topic::LobbyChat,
            Chat::Room => Topic::RoomChat(room),
            Chat::Feed => Topic::RoomFeed(room),
            Chat::Match => Topic::RoomMatch(room),
            Chat::Leaderboard => Topic::Leaderboard,
        }
    }

    pub(super) fn room(&self, number: usize) -> std::sync::Arc<RoomHandle<G>> {
        let mut rooms = self.server.lobby.directory.all();
        let count = rooms.len();
        rooms.swap_remove(number % count)
    }

    pub(super) fn choice(&self, place: Place) -> Option<RoomChoice> {
        Some(match place {
            Place::Quick => RoomChoice::Quick,
            Place::Mode(mode) => RoomChoice::Mode(mode),
            Place::Room(number) => RoomChoice::Room(self.room(number).id()),
            Place::Code(number) => {
                let codes: Vec<_> = self.server.lobby.directory.all().iter().filter_map(|room| room.code).collect();
                RoomChoice::Code(codes.get(number % codes.len().max(1)).copied())
            }
            Place::Nowhere => return None,
        })
    }
}

impl<G: ChaosGame> Player<G> {
    fn leave(&mut self) {
        if self.link.is_some() {
            self.has_left = true;
            self.client.leave();
        }
    }
}

/// Fills the mailbox of a room beyond its capacity.
fn flood<G: ChaosGame>(room: &RoomHandle<G>) {
    let nobody = SeatAssignment { player: PlayerId(0), tick_zero: MonoTime(1), since: Tick(0), role: Role::Play };
    let packet = InputPacket { acked: Tick(0), first: Tick(0), lag: 0, samples: Default::default() };
    let input = || RoomCommand::Input(nobody, packet.clone(), MonoTime(0));
    let mut inputs: Vec<_> = std::iter::repeat_with(input).take(MAILBOX_MAX + 7).collect();
    room.send_all(&mut inputs);
    let is_open = room.send(RoomCommand::Retire).is_ok();
    assert!(room.mailbox_len() > MAILBOX_MAX || !is_open, "what is no input finds space");
}
