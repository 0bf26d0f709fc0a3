//! What always holds, checked from outside: of the cores' state after every step, of what was said at the end.

use std::collections::{BTreeMap, BTreeSet};

use broadside_core::commands::SessionId;
use broadside_core::messages::EncodedMessage;
use broadside_core::room_loop::QUEUED_MAX;
use broadside_server::lobby::sessions::SessionState;
use broadside_shared::game::Game;
use broadside_shared::protocol::FrameKind;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::{CHAT_KEPT, MESSAGES_WAITING_MAX};
use broadside_shared::protocol::message::{ClientMsg, Outcome, Request, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::Tick;

use broadside_sim::server::{LinkId, SimServer, Tap};

/// Commands that a room may hold back for a shard: ticks in which nobody gets a snapshot.
const HELD_BACK_MAX: usize = 64;

/// Memory of what was observed.
#[derive(Default)]
pub(crate) struct Checks {
    /// Requests that were read and not answered, by link and number.
    asked: BTreeMap<(LinkId, u32), Option<Direct>>,
    garbage: BTreeSet<LinkId>,
    /// Links whose client has nothing left: it gets everything that a new subscriber gets.
    reloaded: BTreeSet<LinkId>,
    /// What was published, in order, by topic: the number of each message and its text.
    published: BTreeMap<Topic, Vec<Published>>,
    /// By text.
    topic_of: BTreeMap<u32, Topic>,
    /// By text: those that the server promised to deliver.
    direct: BTreeMap<u32, Direct>,
    sessions: BTreeMap<SessionId, Heard>,
    names: BTreeMap<Name, SessionId>,
    /// Links whose client asked for something that changes subscriptions, since the last look.
    unsubscribed: BTreeSet<SessionId>,
}

#[derive(Debug, Clone, Copy)]
struct Published {
    number: u64,
    text: u32,
}

#[derive(Debug, Clone, Copy)]
struct Direct {
    text: u32,
    from: SessionId,
    to: SessionId,
}

/// What one session heard.
#[derive(Debug, Default)]
struct Heard {
    /// In order.
    log: BTreeMap<Topic, Vec<Entry>>,
    direct: Vec<u32>,
    /// It muted somebody at some time, or was told that messages were dropped.
    has_muted: bool,
    missed: bool,
    /// Subscriptions at the last look.
    topics: BTreeSet<Topic>,
    is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    /// Subscribed, or told all that is kept once more; messages after this number are owed.
    Since(u64),
    Text(u32),
    /// Not subscribed any longer.
    Until,
}

impl Checks {
    pub(crate) fn garbage(&mut self, link: LinkId) {
        self.garbage.insert(link);
    }

    pub(crate) fn sent_garbage(&self, link: LinkId) -> bool {
        self.garbage.contains(&link)
    }

    /// Every link is gone, and with it whatever was asked over it.
    pub(crate) fn links_are_lost(&mut self) {
        self.asked.clear();
    }

    /// Another server goes on with a link, as of this snapshot.
    pub(crate) fn passed(&mut self, link: LinkId, have: Tick) {
        match have {
            Tick(0) => self.reloaded.insert(link),
            Tick(_) => self.reloaded.remove(&link),
        };
    }

    /// A server goes on as of when this was the number of the newest message: what was said since is lost, and numbers are given again.
    pub(crate) fn crashed(&mut self, newest: u64) {
        self.links_are_lost();
        self.direct.clear();
        self.published.values_mut().for_each(|all| all.retain(|one| one.number <= newest));
        for heard in self.sessions.values_mut() {
            heard.log.clear();
            heard.direct.clear();
            heard.topics.clear();
            heard.missed = true;
        }
    }

    /// What a shard was about to deliver is lost with it.
    pub(crate) fn shard_fails<G: Game>(&mut self, server: &SimServer<G>, shard: usize) {
        for SessionState { id, connection, seat, .. } in server.lobby.sessions.all() {
            if connection.is_some_and(|connection| connection.shard == shard)
                || seat.is_some_and(|seat| seat.shard == shard)
            {
                self.sessions.entry(id).or_default().is_over = true;
            }
        }
        let lost: Vec<(LinkId, u32)> = self.asked.keys().copied().collect();
        for key in lost {
            if server.links.get(&key.0).is_some_and(|link| link.owner.is_some_and(|(at, _)| at == shard)) {
                self.asked.remove(&key);
            }
        }
    }

    /// Takes in what passed since the last look.
    pub(crate) fn observe<G: Game>(&mut self, server: &SimServer<G>, taps: &[Tap]) {
        for tap in taps {
            match tap {
                Tap::Read(link, frame) => self.read(server, *link, frame),
                Tap::Wrote(link, session, frame) => self.wrote(*link, *session, frame),
                Tap::Published(message) => {
                    let all = self.published.entry(message.topic).or_default();
                    if let Some(text) = texts(message.message.update()).next()
                        && all.last().is_none_or(|last| last.number < message.number)
                    {
                        all.push(Published { number: message.number, text });
                    }
                }
                Tap::Closed(..) => {}
            }
        }
        for connection in server.shards.iter().flat_map(|shard| shard.core.connections()) {
            let (session, is_closing) = (connection.session(), connection.is_closing());
            if session == 0 || is_closing {
                continue;
            }
            let heard = self.sessions.entry(session).or_default();
            // Mutes of an account hold in its next session too.
            heard.has_muted |= connection.subscriptions().has_mutes();
            let topics: BTreeSet<Topic> = connection.subscriptions().topics().collect();
            for topic in topics.symmetric_difference(&heard.topics) {
                let log = heard.log.entry(*topic).or_default();
                if topics.contains(topic) {
                    let until = server.lobby.context.topics.kept(*topic, |_| false).until;
                    // What is kept was told before the subscription was seen here.
                    let at = log.iter().rposition(|entry| *entry == Entry::Until).map_or(0, |at| at + 1);
                    log.insert(at, Entry::Since(until));
                } else {
                    assert!(
                        *topic != Topic::LobbyChat || self.unsubscribed.contains(&session),
                        "session {session:x} lost its subscription to {topic}"
                    );
                    log.push(Entry::Until);
                }
            }
            heard.topics = topics;
        }
        self.unsubscribed.clear();
        self.names =
            server.lobby.sessions.all().into_iter().filter_map(|session| Some((session.name?, session.id))).collect();
    }

    fn read<G: Game>(&mut self, server: &SimServer<G>, link: LinkId, frame: &[u8]) {
        let Ok((FrameKind::Control, rest)) = FrameKind::split(frame) else { return };
        let (id, request) = match codec::decode_client(rest) {
            Ok(ClientMsg::Request { id, request }) => (id, request),
            Ok(ClientMsg::Hello { resume: Some(resume), .. }) if resume.have == Tick(0) => {
                self.reloaded.insert(link);
                return;
            }
            // Who leaves a room leaves its chat, and may subscribe to it again before the next look.
            Ok(ClientMsg::Join { .. }) => {
                let session = self.session_of(server, link);
                return self.leave_chats(session);
            }
            Ok(_) | Err(_) => return,
        };
        let from = self.session_of(server, link);
        if request == Request::Exit {
            self.leave_chats(from);
        }
        let mut direct = None;
        if let (Some(from), Request::DirectMessage { to, text }) = (from, &request)
            && let Some(to) = Name::new(to).ok().and_then(|name| self.same_session(server, &name))
        {
            direct = texts(text.as_bytes()).next().map(|text| Direct { text, from, to });
        }
        // What came since the last subscription came because the room was left.
        if let (Some(from), Request::Subscribe { topic }) = (from, &request)
            && let Ok(topic) = topic.parse()
            && let Some(heard) = self.sessions.get_mut(&from)
            && !heard.topics.contains(&topic)
        {
            heard.log.entry(topic).or_default().push(Entry::Until);
        }
        // What is kept may reach a new subscriber before any shard has taken it off its inbox.
        if let Request::Say { topic, text } = &request
            && let (Ok(topic), Some(text)) = (topic.parse(), texts(text.as_bytes()).next())
        {
            self.topic_of.insert(text, topic);
        }
        if let (Some(from), Request::Mute { .. }) = (from, &request) {
            self.sessions.entry(from).or_default().has_muted = true;
        }
        if let (Some(from), Request::Unsubscribe { topic }) = (from, &request) {
            self.unsubscribed.insert(from);
            // It may be subscribed to once more before the next look.
            if let Ok(topic) = topic.parse()
                && let Some(heard) = self.sessions.get_mut(&from)
                && heard.topics.remove(&topic)
            {
                heard.log.entry(topic).or_default().push(Entry::Until);
            }
        }
        self.asked.insert((link, id), direct);
    }

    fn session_of<G: Game>(&self, server: &SimServer<G>, link: LinkId) -> Option<SessionId> {
        let (shard, key) = server.links.get(&link)?.owner?;
        server.shards[shard].core.connection(key).map(|connection| connection.session())
    }

    fn leave_chats(&mut self, session: Option<SessionId>) {
        let Some(heard) = session.and_then(|session| self.sessions.get_mut(&session)) else { return };
        let is_chat = |topic: &Topic| matches!(topic, Topic::RoomChat(_));
        for topic in heard.topics.iter().filter(|topic| is_chat(topic)) {
            heard.log.entry(*topic).or_default().push(Entry::Until);
        }
        heard.topics.retain(|topic| !is_chat(topic));
    }

    /// The session that has this name now and had it at the last look.
    fn same_session<G: Game>(&self, server: &SimServer<G>, name: &Name) -> Option<SessionId> {
        let session = server.lobby.sessions.find(name)?;
        (self.names.get(name) == Some(&session)).then_some(session)
    }

    fn wrote(&mut self, link: LinkId, session: SessionId, frame: &[u8]) {
        let heard = self.sessions.entry(session).or_default();
        if let Some(rest) = frame.strip_prefix(&[FrameKind::Control as u8]) {
            match codec::decode_server(rest) {
                Ok(ServerMsg::Reply { id, outcome }) => match self.asked.remove(&(link, id)) {
                    None => panic!("request {id} of link {link} was answered twice, or never asked"),
                    Some(Some(direct)) if outcome == Outcome::Done => {
                        self.direct.insert(direct.text, direct);
                    }
                    Some(_) => {}
                },
                Ok(ServerMsg::Welcome { resumed: true, .. }) if self.reloaded.contains(&link) => {
                    for (topic, log) in &mut heard.log {
                        if heard.topics.contains(topic) {
                            log.push(Entry::Since(0));
                        }
                    }
                }
                Ok(_) => {}
                Err(wrong) => panic!("link {link}: the server wrote no message: {wrong}"),
            }
        }
        heard.missed |= frame.windows(3).any(|bytes| missed().update().starts_with(bytes));
        for text in texts(frame) {
            match self.topic_of.get(&text) {
                Some(topic) => heard.log.entry(*topic).or_default().push(Entry::Text(text)),
                None => heard.direct.push(text),
            }
        }
    }

    /// What holds after every step.
    pub(crate) fn always<G: Game>(&self, server: &SimServer<G>) {
        let sessions = server.lobby.sessions.all();
        let mut connected = BTreeSet::new();
        for SessionState { id: session, account, connection, seat, is_kept, .. } in &sessions {
            if let Some(account) = account {
                assert!(server.lobby.sessions.of_account(*account).contains(session), "{account} lost {session:x}");
            }
            if let Some(id) = connection {
                let found = server.shards[id.shard].core.connection(id.key).filter(|found| found.id() == *id);
                let found = found.unwrap_or_else(|| panic!("session {session:x} has connection {id:?}, which is gone"));
                assert_eq!(found.session(), *session, "{id:?} belongs to another session");
                assert!(!found.is_closing(), "session {session:x} has a connection that is closing");
                connected.insert(*id);
            }
            if let Some(at) = seat {
                let fanout = server.shards[at.shard].core.fanouts().get(&at.room);
                let recipients = fanout.into_iter().flat_map(|fanout| fanout.recipients());
                let mine: Vec<_> = recipients.filter(|(owner, seat, _)| (owner, *seat) == (session, at.seat)).collect();
                assert_eq!(mine.len(), 1, "session {session:x} has {at:?}, and the shard {mine:?}");
                let key = connection.map(|id| id.key);
                assert_eq!(mine[0].2, key, "session {session:x}: snapshots go elsewhere");
            } else {
                assert!(connection.is_some() || *is_kept, "session {session:x} has neither connection nor seat");
            }
        }
        let seat_of: BTreeMap<_, _> = sessions.iter().map(|session| (session.id, session.seat)).collect();
        for (shard, at) in server.shards.iter().enumerate() {
            for connection in at.core.connections() {
                let id = connection.id();
                if connection.session() != 0 && !connection.is_closing() {
                    assert!(connected.contains(&id), "{id:?} is open, and its session knows nothing of it");
                    let seat = seat_of[&connection.session()].map(|at| (at.room, at.seat));
                    assert_eq!(connection.seat(), seat, "session {:x} and {id:?} disagree", connection.session());
                }
                assert!(connection.messages_waiting() <= MESSAGES_WAITING_MAX, "{id:?}: too many messages wait");
            }
            for (room, fanout) in at.core.fanouts() {
                for (session, seat, connection) in fanout.recipients() {
                    if session == 0 {
                        assert_eq!(connection, None, "a seat that was given up has a connection");
                        continue;
                    }
                    let location = seat_of.get(&session).copied().flatten();
                    let agrees = location.is_some_and(|at| (at.shard, at.room, at.seat) == (shard, *room, seat));
                    assert!(agrees, "shard {shard} room {room}: {seat:?} of {session:x}, which has {location:?}");
                }
            }
        }
        for room in server.awake() {
            for shard in 0..server.shards.len() {
                let (held_back, owed) = room.waiting_for(shard);
                assert!(held_back <= HELD_BACK_MAX, "room {}: {held_back} commands wait for a shard", room.info().id);
                assert!(owed <= 4096, "room {}: {owed} updates are owed", room.info().id);
            }
        }
        for room in server.lobby.directory.all() {
            for shard in 0..server.shards.len() {
                let queued = room.status.queued(shard);
                assert!(queued <= QUEUED_MAX, "room {}: {queued} ticks wait for shard {shard}", room.id());
            }
        }
        for (link, id) in self.asked.keys() {
            let Some((shard, key)) = server.links.get(link).and_then(|link| link.owner) else { continue };
            let Some(connection) = server.shards[shard].core.connection(key) else { continue };
            let is_waiting = connection.is_closing() || connection.session() == 0 || connection.awaits_answer();
            assert!(is_waiting, "request {id} of link {link} was not answered");
        }
    }

    /// What holds once nothing is on its way.
    pub(crate) fn quiet<G: Game>(&self, server: &SimServer<G>) {
        let mut queued = BTreeSet::new();
        let mut seats = BTreeSet::new();
        for room in server.awake() {
            let id = room.info().id;
            let taken = room.occupancy();
            let count = room.seats().count();
            assert_eq!(count, usize::from(taken.players + taken.spectators), "room {id}: seats and players differ");
            for seat in room.seats() {
                let key = (!seat.is_parked()).then_some(seat.connection.key);
                seats.insert((seat.connection.shard, id, seat.assignment.player, seat.session, key));
            }
            queued.extend(room.queued().map(|request| (request.connection, id)));
        }
        let mut recipients = BTreeSet::new();
        let mut waiting = BTreeSet::new();
        for (shard, at) in server.shards.iter().enumerate() {
            for (room, fanout) in at.core.fanouts() {
                assert!(
                    fanout.recipients().next().is_some(),
                    "shard {shard} still has room {room}, without recipients"
                );
                let those = fanout.recipients().map(|(session, seat, key)| (shard, *room, seat.player, session, key));
                recipients.extend(those);
            }
            assert!(
                !at.core.connections().any(|c| c.awaits_answer()),
                "shard {shard}: a game's request was not answered"
            );
            for connection in at.core.connections().filter(|connection| connection.seat().is_none()) {
                waiting.extend(connection.room().map(|room| (connection.id(), room)));
            }
            assert_eq!(server.commands_waiting(shard), 0, "shard {shard} has commands left");
        }
        assert_eq!(seats, recipients, "the rooms' seats, and those to whom shards send");
        assert_eq!(queued, waiting, "the rooms' join queues, and those who wait");
    }

    /// What holds when all have left.
    pub(crate) fn empty<G: Game>(&self, server: &SimServer<G>) {
        assert!(server.lobby.sessions.is_empty(), "sessions are left: {:?}", server.lobby.sessions.all());
        assert_eq!(server.lobby.sessions.looks(), 0, "names are left");
        assert_eq!(server.lobby.sessions.accounts(), 0, "accounts are left");
        assert_eq!(server.lobby.context.limits.held(), [], "addresses hold something");
        let awake: Vec<_> = server.awake().map(|room| (room.info().id, room.occupancy())).collect();
        assert_eq!(awake, [], "rooms are awake");
        let mut rooms: Vec<_> = server.lobby.directory.all().iter().map(|room| room.name.clone()).collect();
        // A persistent room that has ended is opened anew by the next server.
        rooms.sort();
        assert_eq!(rooms, ["one", "two"], "rooms are left");
        for shard in &server.shards {
            assert!(shard.core.is_empty() && shard.core.fanouts().is_empty(), "a shard has something left");
        }
        let metrics = &server.lobby.context.metrics;
        assert_eq!((metrics.players.get(), metrics.join_queue.get()), (0, 0), "gauges of players and of the queue");
        for room in server.lobby.directory.all() {
            assert_eq!(room.mailbox_len(), 0, "commands wait in room {}", room.id());
        }
    }

    /// Each message came once, in order, to everyone who was to hear it.
    pub(crate) fn messages<G: Game>(&self, server: &SimServer<G>) {
        // For who has no connection, messages wait.
        let connected = server.lobby.sessions.all().into_iter().filter(|session| session.connection.is_some());
        let alive: BTreeSet<SessionId> = connected.map(|session| session.id).collect();
        for (session, heard) in &self.sessions {
            for (topic, log) in &heard.log {
                let all = self.published.get(topic).map_or(&[][..], Vec::as_slice);
                self.check_topic(*session, heard, alive.contains(session), *topic, log, all);
            }
            let direct: BTreeSet<u32> = heard.direct.iter().copied().collect();
            assert_eq!(direct.len(), heard.direct.len(), "session {session:x} got a direct message twice: {heard:?}");
            for pair in heard.direct.windows(2) {
                if let [Some(a), Some(b)] = [self.direct.get(&pair[0]), self.direct.get(&pair[1])]
                    && a.from == b.from
                {
                    assert!(a.text < b.text, "session {session:x} got {b:?} after {a:?}");
                }
            }
        }
        for direct in self.direct.values() {
            let Some(heard) = self.sessions.get(&direct.to) else { continue };
            let is_owed = alive.contains(&direct.to) && !heard.is_over && !heard.has_muted && !heard.missed;
            assert!(!is_owed || heard.direct.contains(&direct.text), "{direct:?} was promised and never came");
        }
    }

    fn check_topic(
        &self,
        session: SessionId,
        heard: &Heard,
        is_alive: bool,
        topic: Topic,
        log: &[Entry],
        all: &[Published],
    ) {
        let at_of = |text: u32| all.iter().position(|one| one.text == text);
        let mut last: Option<usize> = None;
        // The first one that is owed.
        let mut since = None;
        for entry in log {
            match entry {
                Entry::Since(number) => {
                    last = None;
                    since = Some(all.partition_point(|one| one.number <= *number));
                }
                Entry::Until => (last, since) = (None, None),
                Entry::Text(text) => {
                    let at = at_of(*text).unwrap_or_else(|| panic!("{topic}: {text} was never published"));
                    if let Some(last) = last {
                        assert!(last < at, "session {session:x} {topic}: {text} came twice, or too late: {log:?}");
                        let lost = at - last - 1;
                        let may_miss = heard.has_muted || heard.missed || lost >= CHAT_KEPT;
                        assert!(
                            lost == 0 || may_miss,
                            "session {session:x} {topic}: {lost} lost before {text}: {log:?}"
                        );
                    }
                    last = Some(at);
                }
            }
        }
        if let Some(since) = since
            && is_alive
            && !heard.is_over
            && !heard.has_muted
            && !heard.missed
            && since < all.len()
        {
            let end = last.map_or(since, |last| last + 1);
            let lost = all.len().saturating_sub(end.max(since));
            assert!(lost == 0 || lost > CHAT_KEPT, "session {session:x} {topic}: the last {lost} never came: {log:?}");
        }
    }
}

/// The numbers of the texts in a frame.
fn texts(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.windows(9).filter_map(|text| {
        let digits = text.strip_prefix(b"m#")?.strip_suffix(b"#")?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

fn missed() -> EncodedMessage {
    EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Missed { count: 1 }))
}
