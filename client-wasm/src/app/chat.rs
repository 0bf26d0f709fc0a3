//! Chat and topics: sends requests, and shows publications, direct messages, notices and replies.

use broadside_shared::client::requests::{Answer, UNANSWERED_MAX};
use broadside_shared::client::{Client, ClientEvent, Phase};
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::message::{Outcome, Publication, Refusal, Request, ServerNotice};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;

use super::App;
use crate::browser;
use crate::cartridge::Cartridge;
use crate::hud::chat::{Channel, ChatLineKind};
use crate::hud::chat_command::{self, ChatCommand, quoted};
use crate::hud::kill_feed::KillFeedName;
use crate::sound::SoundId;
use crate::words::{say, say_count, say_or, say_with};

/// A request that waits for its reply, with what the reply's text needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PendingRequest {
    /// A message to everyone in a channel.
    Say(String),
    /// A message to one player.
    DirectMessage {
        to: String,
        text: String,
    },
    Mute(String),
    Unmute(String),
    Report(String),
    /// A subscription to this topic.
    Subscribe(String),
    /// Following another player.
    Follow,
    /// The scores of the room.
    Scores,
    /// Something that the game knows.
    Game,
}

impl<C: Cartridge> App<C> {
    /// Sends a request and remembers it for the reply. `false` if it was not sent; the chat says why.
    pub(super) fn send_request(&mut self, request: Request, pending: PendingRequest) -> bool {
        let Some(connection) = &mut self.connection else {
            self.chat.notice(say("request.not-connected"));
            return false;
        };
        let id = connection.client.request(browser::now(), request);
        self.remember_request(id, pending)
    }

    /// Sends what the cartridge asks the game for.
    pub(super) fn send_game_requests(&mut self) {
        if self.flow.is_spectating() {
            return;
        }
        while let Some(request) = self.cartridge.poll_request() {
            let Some(connection) = &mut self.connection else { return };
            let id = connection.client.request_game(browser::now(), &request);
            if !self.remember_request(id, PendingRequest::Game) {
                return;
            }
        }
    }

    pub(super) fn remember_request(&mut self, id: Option<u32>, pending: PendingRequest) -> bool {
        let Some(id) = id else {
            self.chat.notice(say("request.too-many"));
            return false;
        };
        if let Some(connection) = &mut self.connection {
            connection.flush();
        }
        if self.pending_requests.len() >= UNANSWERED_MAX {
            // The client gives up older ones first.
            self.pending_requests.remove(0);
        }
        self.pending_requests.push((id, pending));
        true
    }

    fn subscribe(&mut self, topic: Topic) {
        let topic = topic.to_string();
        self.send_request(Request::Subscribe { topic: topic.clone() }, PendingRequest::Subscribe(topic));
    }

    pub(super) fn toggle_chat(&mut self) {
        if self.chat.is_open() {
            self.close_chat();
        } else {
            self.devices.borrow_mut().release();
            self.chat.open("");
        }
    }

    /// Closes the chat; the keys steer again.
    pub(super) fn close_chat(&mut self) {
        if self.chat.is_open() {
            self.chat.close();
            if self.flow.is_playing() {
                self.screens.focus_game();
            }
        }
    }

    pub(super) fn switch_channel(&mut self) {
        self.chat.switch_channel();
    }

    /// Sends the typed line, or runs it as a command.
    pub(super) fn submit_chat(&mut self) {
        let line = self.chat.take_text();
        if line.is_empty() {
            return self.close_chat();
        }
        let command = {
            let roster = self.connection.iter().flat_map(|connection| connection.client.roster()).map(|(_, name)| name);
            let known: Vec<&str> = roster.chain(self.chat.speakers()).collect();
            chat_command::parse(&line, &known)
        };
        let request = match command {
            ChatCommand::Invalid(usage) => Err(say(usage)),
            ChatCommand::Mute(name) => Ok((Request::Mute { name: name.clone() }, PendingRequest::Mute(name))),
            ChatCommand::Unmute(name) => Ok((Request::Unmute { name: name.clone() }, PendingRequest::Unmute(name))),
            ChatCommand::Report { name, text } => {
                Ok((Request::Report { name: name.clone(), text }, PendingRequest::Report(name)))
            }
            ChatCommand::Say(_) | ChatCommand::DirectMessage { .. } if self.flow.name().is_none() => {
                Err(say("refusal.choose-name"))
            }
            ChatCommand::DirectMessage { to, text } => Ok((
                Request::DirectMessage { to: to.clone(), text: text.clone() },
                PendingRequest::DirectMessage { to, text },
            )),
            ChatCommand::Say(text) => {
                let room = self.connection.as_ref().and_then(|connection| connection.client.room());
                let topic = match (self.chat.channel(), room) {
                    (Channel::Room, Some((room, ..))) => Topic::RoomChat(room),
                    (Channel::Room, None) | (Channel::Lobby, _) => Topic::LobbyChat,
                };
                Ok((Request::Say { topic: topic.to_string(), text: text.clone() }, PendingRequest::Say(text)))
            }
        };
        let sent = match request {
            Ok((request, pending)) => self.send_request(request, pending),
            Err(why) => {
                self.chat.notice(why);
                false
            }
        };
        if !sent {
            self.chat.restore_text(&line);
        }
        if self.flow.is_playing() {
            self.close_chat();
        }
    }

    /// Takes the client's events. After a time in the background, game events are not shown.
    pub(super) fn take_events(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        while let Some(event) = self.connection.as_mut().and_then(|connection| connection.client.poll_event()) {
            match event {
                ClientEvent::Welcomed(token) => {
                    browser::remember_session(Some((token, self.flow.nodes().url())));
                    for topic in [Topic::LobbyChat, Topic::Leaderboard, Topic::Notices] {
                        self.subscribe(topic);
                    }
                }
                ClientEvent::Joined { room, .. } => {
                    // Unless another room was requested meanwhile.
                    if self.client().and_then(Client::room).is_some_and(|(here, ..)| here == room) {
                        self.chat.set_in_room(true);
                        self.subscribe(Topic::RoomChat(room));
                    }
                }
                ClientEvent::Answered { id, answer } => self.take_answer(id, answer),
                ClientEvent::Published { topic, at, publication } => self.take_publication(&topic, at, publication),
                ClientEvent::DirectMessage { from, text } => {
                    self.chat.add(ChatLineKind::DirectReceived, from.as_str(), text.as_str());
                    self.speaker.click(SoundId::MARK);
                }
                ClientEvent::ServerNotice(notice) => self.take_notice(&notice),
                ClientEvent::Game(event) if !stale => self.take_game_event(&event),
                ClientEvent::Game(_) => {}
            }
        }
        if stale {
            self.cartridge.skip();
        }
    }

    fn take_publication(&mut self, topic: &str, at: MonoTime, publication: Publication) {
        match publication {
            Publication::Said { from, text } => {
                let channel = if topic == Topic::LobbyChat.to_string() { Channel::Lobby } else { Channel::Room };
                if let Some(connection) = &self.connection {
                    self.chat.set_own_name(connection.client.name().as_str());
                }
                let age_ms = self.client().map_or(0.0, |client| client.age_ms_of(at, browser::now()));
                self.chat.publish(channel, (from.as_str(), text.as_str()), at, age_ms);
            }
            Publication::Leaders(leaders) => self.lobby.show_leaders(&leaders),
            Publication::Announcement(text) => self.lobby.announcement(text.as_str()),
            // The page does not subscribe to these: both also come with the snapshots.
            Publication::KillFeed { .. } | Publication::Match(_) => {}
        }
    }

    fn take_answer(&mut self, id: u32, answer: Answer) {
        let Some(at) = self.pending_requests.iter().position(|(pending, _)| *pending == id) else {
            // A request of the client itself, such as a rename. When the connection is lost, those are not worth a notice.
            let connected = self.connection.as_ref().is_some_and(|connection| connection.phase() != Phase::Greeting);
            if answer == Answer::None && connected {
                self.chat.notice(say("request.server-silent"));
            }
            return;
        };
        let (_, pending) = self.pending_requests.remove(at);
        match answer {
            Answer::Received(Outcome::Done) => match pending {
                PendingRequest::DirectMessage { to, text } => self.chat.add(ChatLineKind::DirectSent, &to, &text),
                PendingRequest::Mute(name) => {
                    let undo = quoted(&name);
                    self.chat.notice(&say_with("said.muted", &[("name", &name), ("quoted", &undo)]));
                }
                PendingRequest::Unmute(name) => self.chat.notice(&say_with("said.unmuted", &[("name", &name)])),
                PendingRequest::Report(name) => self.chat.notice(&say_with("said.reported", &[("name", &name)])),
                PendingRequest::Say(_)
                | PendingRequest::Subscribe(_)
                | PendingRequest::Follow
                | PendingRequest::Scores
                | PendingRequest::Game => {}
            },
            // They are asked for again in a second.
            Answer::Received(Outcome::Refused(_)) | Answer::None if pending == PendingRequest::Scores => {}
            Answer::Received(Outcome::Refused(why)) => {
                match &pending {
                    PendingRequest::Say(text) => self.chat.restore_text(text),
                    PendingRequest::DirectMessage { to, text } => {
                        self.chat.restore_text(&format!("/w {} {text}", quoted(to)));
                    }
                    PendingRequest::Mute(_)
                    | PendingRequest::Unmute(_)
                    | PendingRequest::Report(_)
                    | PendingRequest::Subscribe(_)
                    | PendingRequest::Follow
                    | PendingRequest::Scores
                    | PendingRequest::Game => {}
                }
                self.chat.notice(&refusal_text::<C::Game>(&pending, why));
            }
            Answer::None => self.chat.notice(&say_with("request.no-answer", &[("request", &describe(&pending))])),
        }
    }

    fn take_notice(&mut self, notice: &ServerNotice) {
        let text = match notice {
            ServerNotice::Muted => say("notice.muted").to_owned(),
            ServerNotice::RoomEnds { seconds: 0 } => say("notice.room-ended").to_owned(),
            ServerNotice::RoomEnds { seconds } => say_with("notice.room-ends", &[("count", &seconds.to_string())]),
            ServerNotice::FriendJoined { name } => say_with("notice.friend-joined", &[("name", name.as_str())]),
            ServerNotice::Renamed { name } if self.flow.name().is_some() => {
                say_with("notice.renamed", &[("name", name.as_str())])
            }
            ServerNotice::Missed { count } => say_count("notice.missed", *count),
            ServerNotice::Renamed { .. } | ServerNotice::Following { .. } => return,
        };
        if self.flow.is_playing() {
            self.play.toast(text.trim_end_matches('.'), "");
        }
        self.chat.notice(&text);
    }

    pub(super) fn take_game_event(&mut self, event: &<C::Game as Game>::Event) {
        self.stage(0.0, |cartridge, image, cues| cartridge.event(event, image, cues));
        let (Some(entry), Some(client)) = (C::Game::kill_feed_entry(event), self.client()) else { return };
        let own = client.player();
        let named = |player: PlayerId| KillFeedName {
            name: client.name_of(player).unwrap_or(say("someone")).to_owned(),
            own: Some(player) == own,
            team: self.cartridge.team_of(player),
        };
        let (by, of) = (entry.by.map(named), named(entry.of));
        let seconds = browser::now_ms() / 1000.0;
        let verb = say_or(&["verb.", entry.verb].concat(), entry.verb);
        match &by {
            Some(by) => self.play.feed.add(seconds, by, verb, Some(&of)),
            None => self.play.feed.add(seconds, &of, verb, None),
        }
    }
}

fn refusal_text<G: Game>(pending: &PendingRequest, why: Refusal) -> String {
    match (pending, why) {
        (
            PendingRequest::DirectMessage { to: name, .. } | PendingRequest::Mute(name) | PendingRequest::Report(name),
            Refusal::NoSuchPlayer,
        ) => say_with("refusal.no-player-called", &[("name", name)]),
        (PendingRequest::Unmute(name), Refusal::NoSuchPlayer) => say_with("refusal.not-muted", &[("name", name)]),
        (PendingRequest::Mute(_), Refusal::NotAllowed) => say("refusal.mute-self").to_owned(),
        (_, Refusal::ByGame { reason }) => {
            let text = G::REFUSALS.get(usize::from(reason)).copied().unwrap_or_else(|| advice(why));
            say_or(&["refusal.game.", &reason.to_string()].concat(), text).to_owned()
        }
        (_, Refusal::TooFast { wait_ms }) => {
            say_with("refusal.too-fast", &[("count", &wait_ms.div_ceil(1000).max(1).to_string())])
        }
        (PendingRequest::Subscribe(topic), why) => [topic, ": ", advice(why)].concat(),
        (_, why) => advice(why).to_owned(),
    }
}

/// What a refusal means, in a sentence.
fn advice(why: Refusal) -> &'static str {
    match why {
        Refusal::NoSuchTopic => say("refusal.no-topic"),
        Refusal::NotAllowed => say("refusal.not-allowed"),
        Refusal::TooFast { .. } => say("request.too-many"),
        Refusal::BadText => say("refusal.bad-text"),
        Refusal::BadName => say("refusal.bad-name"),
        Refusal::NoSuchPlayer => say("refusal.no-player"),
        Refusal::TooMany => say("refusal.too-many"),
        Refusal::Nameless => say("refusal.choose-name"),
        Refusal::NotInRoom => say("refusal.not-in-room"),
        Refusal::ByGame { .. } => say("refusal.by-game"),
        Refusal::Muted => say("refusal.muted"),
    }
}

/// Describes a request in a sentence.
fn describe(pending: &PendingRequest) -> String {
    match pending {
        PendingRequest::Say(text) => say_with("request.said", &[("text", text)]),
        PendingRequest::DirectMessage { to, .. } => say_with("request.message", &[("name", to)]),
        PendingRequest::Mute(name) => say_with("request.mute", &[("name", name)]),
        PendingRequest::Unmute(name) => say_with("request.unmute", &[("name", name)]),
        PendingRequest::Report(name) => say_with("request.report", &[("name", name)]),
        PendingRequest::Subscribe(topic) => say_with("request.subscribe", &[("name", topic)]),
        PendingRequest::Scores => say("request.scores").to_owned(),
        PendingRequest::Follow => say("request.follow").to_owned(),
        PendingRequest::Game => say("request.game").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::ids::RoomId;
    use broadside_shared::toy::Toy;

    #[test]
    fn a_refusal_is_explained_in_a_sentence() {
        let message = PendingRequest::DirectMessage { to: "Ann".into(), text: "hi".into() };
        assert_eq!(refusal_text::<Toy>(&message, Refusal::NoSuchPlayer), "No player is called Ann.");
        assert_eq!(
            refusal_text::<Toy>(&PendingRequest::Say("x".into()), Refusal::TooFast { wait_ms: 1200 }),
            "Too fast. Try again in 2 s."
        );
        let refused = refusal_text::<Toy>(&PendingRequest::Game, Refusal::ByGame { reason: 0 });
        assert_eq!(refused, "That lamp is not yours.");
        assert_eq!(describe(&message), "your message to Ann");
        let topic = Topic::RoomChat(RoomId(7)).to_string();
        assert_eq!(describe(&PendingRequest::Subscribe(topic)), "the subscription to room/7/chat");
    }
}
