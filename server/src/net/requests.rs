//! What one connection asks for besides playing: topics, chat, direct messages, mutes.

use std::collections::BTreeMap;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::limits::{MUTED_MAX, SUBSCRIPTIONS_MAX};
use broadside_shared::protocol::message::{Outcome, Publication, Refusal, Request, RoomId, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;

use crate::App;
use crate::lobby::messages::EncodedMessage;
use crate::lobby::names::{FitName, Looks};
use crate::lobby::sessions::SessionId;
use crate::lobby::topics::TopicMessage;

/// What a connection accepts_from of.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    /// With the number up to which each was heard when it was subscribed to: what was published then may still be on its way.
    topics: Vec<(Topic, u64)>,
    /// By session, so that a new name does not help; with the name they had.
    muted: BTreeMap<SessionId, Name>,
}

impl Subscriptions {
    /// What it has subscribed to.
    pub fn topics(&self) -> impl Iterator<Item = Topic> + '_ {
        self.topics.iter().map(|(topic, _)| *topic)
    }

    /// Whether it has subscribed to a topic.
    #[must_use]
    pub fn is_subscribed(&self, topic: Topic) -> bool {
        self.topics().any(|heard| heard == topic)
    }

    /// Whether this is news to it: of a topic that it has subscribed to, by nobody it mutes, and not heard yet.
    #[must_use]
    pub fn wants(&self, message: &TopicMessage) -> bool {
        let news = |(topic, until): &(Topic, u64)| *topic == message.topic && *until < message.number;
        self.accepts_from(message.from) && self.topics.iter().any(news)
    }

    /// Of a topic everything up to a number was heard.
    pub fn heard(&mut self, topic: Topic, until: u64) {
        for (_, heard) in self.topics.iter_mut().filter(|(heard, _)| *heard == topic) {
            *heard = until.max(*heard);
        }
    }

    /// Whether it wants to receive this session.
    #[must_use]
    pub fn accepts_from(&self, from: Option<SessionId>) -> bool {
        from.is_none_or(|from| !self.muted.contains_key(&from))
    }

    /// Leaves what is for those in a room: its chat, and all of a private one.
    pub fn leave_room(&mut self, is_private: impl Fn(RoomId) -> bool) {
        self.topics.retain(|(topic, _)| match topic {
            Topic::RoomChat(_) => false,
            Topic::RoomFeed(room) | Topic::RoomMatch(room) => !is_private(*room),
            Topic::LobbyChat | Topic::Leaderboard | Topic::Notices => true,
        });
    }
}

/// TeamLabel asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Its session.
    pub session: SessionId,
    /// The room it is in.
    pub room: Option<RoomId>,
    /// Whether it only spectates there.
    pub spectates: bool,
    /// How its connection began, if that was kept.
    pub shown: Option<&'a Handshake>,
}

/// What is to be done on the connection itself.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be sent to it.
    pub messages: Vec<EncodedMessage>,
    /// It wants to see what this player sees.
    pub follows: Option<PlayerId>,
    /// It gives up its seat.
    pub exits: bool,
    /// It has this name now.
    pub called: Option<Name>,
}

/// Does what is asked for.
///
/// # Errors
/// Why not.
pub fn answer<G: Game>(
    request: Request,
    asker: Asker<'_>,
    subscriptions: &mut Subscriptions,
    app: &App<G>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    match request {
        Request::Handshake => {
            let shown = asker.shown.ok_or(Refusal::NotAllowed)?;
            effects.messages.push(EncodedMessage::new(ServerMsg::Handshake(shown.clone())));
            Ok(())
        }
        Request::SetName { name } => {
            let wanted = Name::new(&name).map_err(|_| Refusal::BadName)?;
            let fit = FitName::new(&wanted).map_err(|_| Refusal::BadName)?;
            let called = app.sessions.call(asker.session, &fit);
            if called != wanted {
                effects
                    .messages
                    .push(EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Renamed { name: called.clone() })));
            }
            effects.called = Some(called);
            Ok(())
        }
        Request::Subscribe { topic } => subscribe(&topic, asker, subscriptions, app, effects),
        Request::Unsubscribe { topic } => {
            let topic: Topic = topic.parse().map_err(|_| Refusal::NoSuchTopic)?;
            subscriptions.topics.retain(|(heard, _)| *heard != topic);
            Ok(())
        }
        Request::Say { topic, text } => say(&topic, &text, asker, app),
        Request::DirectMessage { to, text } => tell(&to, &text, asker, app),
        Request::Mute { name } => {
            let (session, name) = find(&name, app)?;
            if subscriptions.muted.len() >= MUTED_MAX && !subscriptions.muted.contains_key(&session) {
                return Err(Refusal::TooMany);
            }
            if session == asker.session {
                return Err(Refusal::NotAllowed);
            }
            if subscriptions.muted.insert(session, name).is_none() {
                app.deliver(
                    session,
                    Some(asker.session),
                    EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Muted)),
                );
            }
            Ok(())
        }
        Request::Unmute { name } => {
            let name = Name::new(&name).map_err(|_| Refusal::BadName)?;
            let before = subscriptions.muted.len();
            // By the name they had or by the one they have.
            let (looks, holder) = (Looks::of(&name), app.sessions.find(&name));
            subscriptions.muted.retain(|session, muted| Some(*session) != holder && !Looks::of(muted).meet(&looks));
            if subscriptions.muted.len() < before { Ok(()) } else { Err(Refusal::NoSuchPlayer) }
        }
        Request::Report { name, text } => {
            let (session, name) = find(&name, app)?;
            let text = Text::new(&text).map_err(|_| Refusal::BadText)?;
            tracing::warn!(by = asker.session, %session, name = name.as_str(), text = text.as_str(), "reported");
            Ok(())
        }
        Request::Follow { player } => {
            effects.follows = Some(player);
            if asker.spectates { Ok(()) } else { Err(Refusal::NotAllowed) }
        }
        Request::Exit => {
            effects.exits = true;
            if asker.room.is_some() { Ok(()) } else { Err(Refusal::NotInRoom) }
        }
    }
}

/// How a request ended, as it is told.
#[must_use]
pub fn outcome(result: Result<(), Refusal>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(why) => Outcome::Refused(why),
    }
}

fn subscribe<G: Game>(
    topic: &str,
    asker: Asker<'_>,
    subscriptions: &mut Subscriptions,
    app: &App<G>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let topic: Topic = topic.parse().map_err(|_| Refusal::NoSuchTopic)?;
    match topic {
        Topic::RoomChat(room) if asker.room != Some(room) => return Err(Refusal::NotAllowed),
        // What goes on in a private room is for those who are in it.
        Topic::RoomFeed(room) | Topic::RoomMatch(room) => match app.directory.get(room) {
            Some(found) if found.code.is_none() || asker.room == Some(room) => {}
            Some(_) | None => return Err(Refusal::NoSuchTopic),
        },
        Topic::RoomChat(_) | Topic::LobbyChat | Topic::Leaderboard | Topic::Notices => {}
    }
    if subscriptions.is_subscribed(topic) {
        return Ok(());
    }
    if subscriptions.topics.len() >= SUBSCRIPTIONS_MAX {
        return Err(Refusal::TooMany);
    }
    let kept = app.context.topics.kept(topic, |from| !subscriptions.accepts_from(Some(from)));
    subscriptions.topics.push((topic, kept.until));
    effects.messages.extend(kept.messages);
    Ok(())
}

fn say<G: Game>(topic: &str, text: &str, asker: Asker<'_>, app: &App<G>) -> Result<(), Refusal> {
    let topic: Topic = topic.parse().map_err(|_| Refusal::NoSuchTopic)?;
    match topic {
        Topic::LobbyChat => {}
        Topic::RoomChat(room) if asker.room == Some(room) => {}
        Topic::RoomChat(_) | Topic::RoomFeed(_) | Topic::RoomMatch(_) | Topic::Leaderboard | Topic::Notices => {
            return Err(Refusal::NotAllowed);
        }
    }
    let from = app.sessions.name_of(asker.session).ok_or(Refusal::Nameless)?;
    let text = Text::new(text).map_err(|_| Refusal::BadText)?;
    app.context.publish(topic, Some(asker.session), Publication::Said { from, text });
    Ok(())
}

fn tell<G: Game>(to: &str, text: &str, asker: Asker, app: &App<G>) -> Result<(), Refusal> {
    let from = app.sessions.name_of(asker.session).ok_or(Refusal::Nameless)?;
    let text = Text::new(text).map_err(|_| Refusal::BadText)?;
    let (session, _) = find(to, app)?;
    app.deliver(session, Some(asker.session), EncodedMessage::new(ServerMsg::DirectMessage { from, text }));
    Ok(())
}

fn find<G: Game>(name: &str, app: &App<G>) -> Result<(SessionId, Name), Refusal> {
    let name = Name::new(name).map_err(|_| Refusal::BadName)?;
    app.sessions.find(&name).map(|session| (session, name)).ok_or(Refusal::NoSuchPlayer)
}
