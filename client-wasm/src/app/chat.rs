//! Talk at work: topics, chat, direct messages, notices, and what became of every request.

use broadside_shared::arena::{ArenaEvent, Cause};
use broadside_shared::client::requests::{Answer, ON_THE_WAY_MAX};
use broadside_shared::client::{Client, ClientEvent, Phase};
use broadside_shared::game::PlayerId;
use broadside_shared::protocol::message::{Outcome, Publication, Refusal, Request, ServerNotice};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;

use super::App;
use super::state::State;
use crate::browser;
use crate::hud::chat::{Channel, Kind};
use crate::hud::feed::Who;
use crate::hud::said::{self, Said, quoted};
use crate::live;
use crate::session::TOKEN_KEY;
use crate::synth::Sound;

/// What was asked for, to say what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To say this to everyone in a channel.
    Say(String),
    /// To say this to one player.
    Tell {
        /// Whom.
        to: String,
        /// What.
        text: String,
    },
    /// To hear somebody no more.
    Mute(String),
    /// To hear them again.
    Unmute(String),
    /// To tell the operator about somebody.
    Report(String),
    /// To hear of a topic.
    Subscribe(String),
    /// To look at another player.
    Follow,
}

impl App {
    /// Asks the server for something, and remembers what; tells whether it was asked.
    pub(super) fn ask(&mut self, request: Request, asked: Asked) -> bool {
        let Some(session) = &mut self.session else {
            self.chat.note("You are not connected. This is tried again by itself.");
            return false;
        };
        let Some(id) = session.client.request(browser::now(), request) else {
            self.chat.note("Too much at once. Wait a moment.");
            return false;
        };
        session.flush();
        if self.asked_for.len() >= ON_THE_WAY_MAX {
            // No more than that are waited for.
            self.asked_for.remove(0);
        }
        self.asked_for.push((id, asked));
        true
    }

    fn subscribe(&mut self, topic: Topic) {
        let topic = topic.to_string();
        self.ask(Request::Subscribe { topic: topic.clone() }, Asked::Subscribe(topic));
    }

    /// Opens or closes the chat.
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
            if matches!(self.state, State::Playing) {
                self.screens.focus_game();
            }
        }
    }

    /// The other channel.
    pub(super) fn switch_channel(&mut self) {
        self.chat.switch_channel();
    }

    /// A line was typed.
    pub(super) fn say(&mut self) {
        let line = self.chat.take_text();
        if line.is_empty() {
            return self.close_chat();
        }
        let said = {
            let roster = self.session.iter().flat_map(|session| session.client.roster()).map(|(_, name)| name);
            let known: Vec<&str> = roster.chain(self.chat.speakers()).collect();
            said::read(&line, &known)
        };
        let said = match said {
            Said::Unclear(how) => Err(how),
            Said::Mute(name) => Ok((Request::Mute { name: name.clone() }, Asked::Mute(name))),
            Said::Unmute(name) => Ok((Request::Unmute { name: name.clone() }, Asked::Unmute(name))),
            Said::Report { name, text } => Ok((Request::Report { name: name.clone(), text }, Asked::Report(name))),
            Said::Say(_) | Said::Tell { .. } if self.name.is_none() => Err("Choose a name first."),
            Said::Tell { to, text } => {
                Ok((Request::DirectMessage { to: to.clone(), text: text.clone() }, Asked::Tell { to, text }))
            }
            Said::Say(text) => {
                let room = self.session.as_ref().and_then(|session| session.client.room());
                let topic = match (self.chat.channel(), room) {
                    (Channel::Room, Some((room, ..))) => Topic::RoomChat(room),
                    (Channel::Room, None) | (Channel::Lobby, _) => Topic::LobbyChat,
                };
                Ok((Request::Say { topic: topic.to_string(), text: text.clone() }, Asked::Say(text)))
            }
        };
        let asked = match said {
            Ok((request, asked)) => self.ask(request, asked),
            Err(how) => {
                self.chat.note(how);
                false
            }
        };
        if !asked {
            self.chat.give_back(&line);
        }
        if matches!(self.state, State::Playing) {
            self.close_chat();
        }
    }

    /// Takes the client's events: onto the stage, into the feed, into the chat. Skips the show of them when nobody was looking.
    pub(super) fn take_events(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        while let Some(event) = self.session.as_mut().and_then(|session| session.client.poll_event()) {
            match event {
                ClientEvent::Welcomed(token) => {
                    browser::remember_in_tab(TOKEN_KEY, Some(&token.to_text()));
                    for topic in [Topic::LobbyChat, Topic::Leaderboard, Topic::Notices] {
                        self.subscribe(topic);
                    }
                }
                ClientEvent::Joined { room, .. } => {
                    // Unless it was left already for what is wanted by now.
                    if self.client().and_then(Client::room).is_some_and(|(here, ..)| here == room) {
                        self.chat.set_in_room(true);
                        self.subscribe(Topic::RoomChat(room));
                    }
                }
                ClientEvent::Answered { id, answer } => self.take_answer(id, answer),
                ClientEvent::Published { topic, at, publication } => self.take_item(&topic, at, publication),
                ClientEvent::DirectMessage { from, text } => {
                    self.chat.add(Kind::Told, from.as_str(), text.as_str());
                    self.speaker.click(Sound::Mark);
                }
                ClientEvent::ServerNotice(notice) => self.take_notice(&notice),
                ClientEvent::Game(event) if !stale => self.take_game_event(&event),
                ClientEvent::Game(_) => {}
            }
        }
        if stale {
            self.scene.clear();
        }
    }

    fn take_item(&mut self, topic: &str, at: MonoTime, publication: Publication) {
        match publication {
            Publication::Said { from, text } => {
                let channel = if topic == Topic::LobbyChat.to_string() { Channel::Lobby } else { Channel::Room };
                if let Some(session) = &self.session {
                    self.chat.set_own(session.client.name().as_str());
                }
                let age_ms = self.client().map_or(0.0, |client| client.age_ms_of(at, browser::now()));
                self.chat.publish(channel, (from.as_str(), text.as_str()), at, age_ms);
            }
            Publication::Leaders(leaders) => self.lobby.show_leaders(&leaders),
            Publication::Announcement(text) => self.lobby.word(text.as_str()),
            // Both come with the snapshots, too, and nobody here subscribes to them.
            Publication::KillFeed { .. } | Publication::Match(_) => {}
        }
    }

    fn take_answer(&mut self, id: u32, answer: Answer) {
        let Some(at) = self.asked_for.iter().position(|(asked, _)| *asked == id) else {
            // The client's own, such as for another name. Those of a connection that was lost are not worth a word.
            let connected = self.session.as_ref().is_some_and(|session| session.phase() != Phase::Greeting);
            if answer == Answer::None && connected {
                self.chat.note("The server did not answer.");
            }
            return;
        };
        let (_, asked) = self.asked_for.remove(at);
        match answer {
            Answer::Came(Outcome::Done) => match asked {
                Asked::Tell { to, text } => self.chat.add(Kind::Telling, &to, &text),
                Asked::Mute(name) => {
                    let undo = quoted(&name);
                    self.chat.note(&format!("You no longer hear {name}. /unmute {undo} undoes that."));
                }
                Asked::Unmute(name) => self.chat.note(&format!("You hear {name} again.")),
                Asked::Report(name) => self.chat.note(&format!("The operator was told about {name}.")),
                Asked::Say(_) | Asked::Subscribe(_) | Asked::Follow => {}
            },
            Answer::Came(Outcome::Refused(why)) => {
                match &asked {
                    Asked::Say(text) => self.chat.give_back(text),
                    Asked::Tell { to, text } => self.chat.give_back(&format!("/w {} {text}", quoted(to))),
                    Asked::Mute(_) | Asked::Unmute(_) | Asked::Report(_) | Asked::Subscribe(_) | Asked::Follow => {}
                }
                self.chat.note(&refused(&asked, why));
            }
            Answer::None => self.chat.note(&format!("No answer to {}.", what(&asked))),
        }
    }

    fn take_notice(&mut self, notice: &ServerNotice) {
        let text = match notice {
            ServerNotice::Muted => "Somebody does not want to hear you.".to_owned(),
            ServerNotice::RoomEnds { seconds: 0 } => "This battle is over.".to_owned(),
            ServerNotice::RoomEnds { seconds } => format!("This battle ends in {seconds} s."),
            ServerNotice::FriendJoined { name } => format!("{name} came by your link."),
            ServerNotice::Renamed { name } if self.name.is_some() => format!("That name is not free: you are {name}."),
            ServerNotice::Missed { count } => format!("{count} messages did not get through: your line is slow."),
            ServerNotice::Renamed { .. } | ServerNotice::Following { .. } => return,
        };
        if matches!(self.state, State::Playing) {
            self.play.toast(text.trim_end_matches('.'), "");
        }
        self.chat.note(&text);
    }

    fn take_game_event(&mut self, event: &ArenaEvent) {
        live::notice(event, &mut self.stage);
        let (ArenaEvent::KillFeed { victim, by, cause }, Some(session)) = (*event, &self.session) else { return };
        let own = session.client.player();
        let who = |player: PlayerId| Who {
            name: session.client.name_of(player).unwrap_or("someone").to_owned(),
            own: Some(player) == own,
            team: self.stage.side_of(player.0),
        };
        let (victim, by) = (who(victim), by.map(who));
        let seconds = browser::now_ms() / 1000.0;
        match &by {
            Some(by) => self.play.feed.add(seconds, by, deed(cause), Some(&victim)),
            None => self.play.feed.add(seconds, &victim, fate(cause), None),
        }
        if victim.own {
            self.sunk_by = match &by {
                Some(by) => format!("by {}", by.name),
                None => format!("you {}", fate(cause)),
            };
        } else if by.is_some_and(|by| by.own) {
            self.play.toast(&format!("you sank {}", victim.name), "kill");
            self.speaker.click(Sound::Kill);
        }
    }
}

/// What a refusal says.
fn refused(asked: &Asked, why: Refusal) -> String {
    match (asked, why) {
        (Asked::Tell { to, .. }, Refusal::NoSuchPlayer) => format!("Nobody called {to} is here."),
        (Asked::Mute(name) | Asked::Report(name), Refusal::NoSuchPlayer) => format!("Nobody called {name} is here."),
        (Asked::Unmute(name), Refusal::NoSuchPlayer) => format!("You have not muted {name}."),
        (Asked::Mute(_), Refusal::NotAllowed) => "You cannot mute yourself.".to_owned(),
        (_, Refusal::TooFast { wait_ms }) => format!("Too fast. Try again in {} s.", wait_ms.div_ceil(1000).max(1)),
        (Asked::Subscribe(topic), why) => format!("{topic}: {}", why.advice()),
        (_, why) => why.advice().to_owned(),
    }
}

/// A request in words.
fn what(asked: &Asked) -> String {
    match asked {
        Asked::Say(text) => format!("your message “{text}”"),
        Asked::Tell { to, .. } => format!("your message to {to}"),
        Asked::Mute(name) => format!("muting {name}"),
        Asked::Unmute(name) => format!("unmuting {name}"),
        Asked::Report(name) => format!("your report about {name}"),
        Asked::Subscribe(topic) => format!("the room_request to hear of {topic}"),
        Asked::Follow => "the room_request to watch another captain".to_owned(),
    }
}

/// What one ship did to another.
fn deed(cause: Cause) -> &'static str {
    match cause {
        Cause::Rail => "speared",
        Cause::Cannon | Cause::Rock | Cause::Border => "sank",
    }
}

/// What a ship did that sank by itself.
fn fate(cause: Cause) -> &'static str {
    match cause {
        Cause::Cannon | Cause::Rail => "went down under fire",
        Cause::Rock => "hit a rock",
        Cause::Border => "got lost in the void",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::protocol::message::RoomId;

    #[test]
    fn what_went_wrong_is_a_sentence() {
        let tell = Asked::Tell { to: "Ann".into(), text: "hi".into() };
        assert_eq!(refused(&tell, Refusal::NoSuchPlayer), "Nobody called Ann is here.");
        assert_eq!(refused(&Asked::Say("x".into()), Refusal::TooFast { wait_ms: 1200 }), "Too fast. Try again in 2 s.");
        assert_eq!(what(&tell), "your message to Ann");
        let topic = Topic::RoomChat(RoomId(7)).to_string();
        assert_eq!(what(&Asked::Subscribe(topic)), "the room_request to hear of room/7/chat");
    }
}
