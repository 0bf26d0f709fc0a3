//! Requests besides playing: name, topics, chat, direct messages, mutes, reports.

use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::message::{Outcome, Publication, Refusal, Request, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;

use crate::commands::{ConnectionId, SessionId};
use crate::lobby::{DirectMessage, Lobby, PlayerReport};
use crate::messages::EncodedMessage;
use crate::subscriptions::Subscriptions;

/// The session that makes a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) session: SessionId,
    /// The connection, and the number of the request.
    pub(super) request: (ConnectionId, u32),
    pub(super) room: Option<RoomId>,
    /// Whether other servers are asked for a room for it.
    pub(super) is_asking: bool,
    pub(super) is_spectator: bool,
    /// The handshake of its connection, if the client asked for it to be kept.
    pub(super) handshake: Option<&'a Handshake>,
}

/// The effects of a request, for the connection to carry out.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Messages to the asker, delivered after the reply.
    pub(super) messages: Vec<EncodedMessage>,
    /// The same of what was published in topics.
    pub(super) published: Vec<(Topic, EncodedMessage)>,
    /// What still waits of this topic is not wanted.
    pub(super) unsubscribed: Option<Topic>,
    /// The player that the asker, a spectator, follows from now on.
    pub(super) follows: Option<PlayerId>,
    /// The place that the asker, a spectator, looks at from now on.
    pub(super) looks_at: Option<(i32, i32)>,
    /// Whether the asker gives up its seat.
    pub(super) exits: bool,
    pub(super) renamed: Option<Name>,
    /// Another server was asked, whose answer is the reply.
    pub(super) is_pending: bool,
}

/// Handles a request.
///
/// # Errors
/// The refusal to reply with.
pub(super) fn answer<G: Game>(
    request: Request,
    asker: Asker<'_>,
    subscriptions: &mut Subscriptions,
    lobby: &impl Lobby<G>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    match request {
        Request::Handshake => {
            let handshake = asker.handshake.ok_or(Refusal::NotAllowed)?;
            effects.messages.push(EncodedMessage::new(ServerMsg::Handshake(handshake.clone())));
            Ok(())
        }
        Request::SetName { name } => {
            let wanted = Name::new(&name).map_err(|_| Refusal::BadName)?;
            let renamed = lobby.set_name(asker.session, &wanted)?;
            if renamed != wanted {
                let notice = ServerNotice::Renamed { name: renamed.clone() };
                effects.messages.push(EncodedMessage::new(ServerMsg::ServerNotice(notice)));
            }
            effects.renamed = Some(renamed);
            Ok(())
        }
        Request::Subscribe { topic } => subscribe(&topic, asker, subscriptions, lobby, effects),
        Request::Unsubscribe { topic } => {
            let topic = topic.parse().map_err(|_| Refusal::NoSuchTopic)?;
            subscriptions.unsubscribe(topic);
            effects.unsubscribed = Some(topic);
            Ok(())
        }
        Request::Say { topic, text } => say(&topic, &text, asker, lobby),
        Request::DirectMessage { to, text } => send_direct(&to, &text, asker, lobby, effects),
        Request::Mute { name } => mute(&name, asker, subscriptions, lobby),
        Request::Unmute { name } => unmute(&name, asker, subscriptions, lobby),
        Request::Report { name, text } => {
            let (of, _) = find(&name, lobby)?;
            let text = Text::new(&text).map_err(|_| Refusal::BadText)?;
            let topics: Vec<Topic> = subscriptions.topics().collect();
            lobby.report(PlayerReport { by: asker.session, of, text }, &topics);
            Ok(())
        }
        Request::Follow { player } => {
            effects.follows = Some(player);
            if asker.is_spectator { Ok(()) } else { Err(Refusal::NotAllowed) }
        }
        Request::Look { x, y } => {
            effects.looks_at = Some((x, y));
            if asker.is_spectator { Ok(()) } else { Err(Refusal::NotAllowed) }
        }
        // Answered by the room.
        Request::Game { .. } | Request::Scores => Err(Refusal::NotInRoom),
        Request::Exit => {
            effects.exits = true;
            if asker.room.is_some() || asker.is_asking { Ok(()) } else { Err(Refusal::NotInRoom) }
        }
    }
}

pub(super) fn outcome(result: Result<(), Refusal>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(why) => Outcome::Refused(why),
    }
}

fn subscribe<G: Game>(
    topic: &str,
    asker: Asker<'_>,
    subscriptions: &mut Subscriptions,
    lobby: &impl Lobby<G>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let topic: Topic = topic.parse().map_err(|_| Refusal::NoSuchTopic)?;
    match topic {
        Topic::RoomChat(room) if asker.room != Some(room) => return Err(Refusal::NotAllowed),
        // The topics of a private room are for those who are in it.
        Topic::RoomFeed(room) | Topic::RoomMatch(room) => match lobby.room(room) {
            Some(found) if !found.is_private || asker.room == Some(room) => {}
            Some(_) | None => return Err(Refusal::NoSuchTopic),
        },
        Topic::RoomChat(_) | Topic::LobbyChat | Topic::Leaderboard | Topic::Notices => {}
    }
    if subscriptions.is_subscribed(topic) {
        return Ok(());
    }
    let kept = lobby.kept_after(topic, 0, &|from| !subscriptions.accepts_from(Some(from)));
    subscriptions.subscribe(topic, kept.until)?;
    effects.published.extend(kept.messages.into_iter().map(|message| (topic, message)));
    Ok(())
}

fn say<G: Game>(topic: &str, text: &str, asker: Asker<'_>, lobby: &impl Lobby<G>) -> Result<(), Refusal> {
    let topic: Topic = topic.parse().map_err(|_| Refusal::NoSuchTopic)?;
    match topic {
        Topic::LobbyChat => {}
        Topic::RoomChat(room) if asker.room == Some(room) => {}
        Topic::RoomChat(_) | Topic::RoomFeed(_) | Topic::RoomMatch(_) | Topic::Leaderboard | Topic::Notices => {
            return Err(Refusal::NotAllowed);
        }
    }
    let from = speaker(asker, lobby)?;
    let text = Text::new(text).map_err(|_| Refusal::BadText)?;
    lobby.publish(topic, Some(lobby.sender_of(asker.session)), Publication::Said { from, text });
    Ok(())
}

fn send_direct<G: Game>(
    to: &str,
    text: &str,
    asker: Asker<'_>,
    lobby: &impl Lobby<G>,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let from = speaker(asker, lobby)?;
    let text = Text::new(text).map_err(|_| Refusal::BadText)?;
    let sender = lobby.sender_of(asker.session);
    let to = Name::new(to).map_err(|_| Refusal::BadName)?;
    match lobby.session_named(&to) {
        Some(session) => {
            lobby.deliver(session, Some(sender), EncodedMessage::new(ServerMsg::DirectMessage { from, text }));
            Ok(())
        }
        None => {
            effects.is_pending = lobby.deliver_elsewhere(asker.request, &to, DirectMessage { from, sender, text });
            if effects.is_pending { Ok(()) } else { Err(Refusal::NoSuchPlayer) }
        }
    }
}

/// The name of a player who may speak.
fn speaker<G: Game>(asker: Asker<'_>, lobby: &impl Lobby<G>) -> Result<Name, Refusal> {
    if lobby.is_muted(asker.session) {
        return Err(Refusal::Muted);
    }
    lobby.name_of(asker.session).ok_or(Refusal::Nameless)
}

fn mute<G: Game>(
    name: &str,
    asker: Asker<'_>,
    subscriptions: &mut Subscriptions,
    lobby: &impl Lobby<G>,
) -> Result<(), Refusal> {
    let (session, name) = match find(name, lobby) {
        Ok(found) => found,
        Err(Refusal::NoSuchPlayer) => return mute_speaker(name, subscriptions, lobby),
        Err(why) => return Err(why),
    };
    if session == asker.session {
        return Err(Refusal::NotAllowed);
    }
    let sender = lobby.sender_of(session);
    if subscriptions.mute(sender, name.clone())? {
        lobby.keep_mute(asker.session, sender, &name);
        let notice = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Muted));
        lobby.deliver(session, Some(lobby.sender_of(asker.session)), notice);
    }
    Ok(())
}

/// Mutes somebody who is not on this server, and said something that was heard here.
fn mute_speaker<G: Game>(name: &str, subscriptions: &mut Subscriptions, lobby: &impl Lobby<G>) -> Result<(), Refusal> {
    let name = Name::new(name).map_err(|_| Refusal::BadName)?;
    let sender = lobby.speaker_named(&name).ok_or(Refusal::NoSuchPlayer)?;
    subscriptions.mute(sender, name)?;
    Ok(())
}

fn unmute<G: Game>(
    name: &str,
    asker: Asker<'_>,
    subscriptions: &mut Subscriptions,
    lobby: &impl Lobby<G>,
) -> Result<(), Refusal> {
    let name = Name::new(name).map_err(|_| Refusal::BadName)?;
    // Either the name at the time of the mute or the current one.
    let holder = lobby.session_named(&name).map(|session| lobby.sender_of(session));
    let matches = |sender, muted: &Name| Some(sender) == holder || lobby.looks_alike(muted, &name);
    let lifted = subscriptions.unmute(matches);
    lifted.iter().for_each(|sender| lobby.forget_mute(asker.session, *sender));
    if lifted.is_empty() { Err(Refusal::NoSuchPlayer) } else { Ok(()) }
}

fn find<G: Game>(name: &str, lobby: &impl Lobby<G>) -> Result<(SessionId, Name), Refusal> {
    let name = Name::new(name).map_err(|_| Refusal::BadName)?;
    lobby.session_named(&name).map(|session| (session, name)).ok_or(Refusal::NoSuchPlayer)
}
