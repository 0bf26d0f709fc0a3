//! Sessions by number, and by the names under which players find each other.
//!
//! A session outlives its connection as long as it has a seat. Its token is its number and a signature, so that it cannot be forged; the
//! key is drawn when the server starts, so that a token of an earlier run is unknown, unless this one goes on from it after a crash.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_shared::ids::RoomId;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::token::Token;
use broadside_shared::time::MonoTime;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use broadside_core::commands::{AccountId, ConnectionId, SeatAssignment, SeatLocation, SenderId, SessionId};
use broadside_core::messages::EncodedMessage;
use broadside_core::subscriptions::{ParkedSession, Subscriptions};

use super::names::{FitName, Looks};
use super::reserved_names::ReservedNames;
use crate::peers::{NodeId, session_of};
use crate::secret;

#[derive(Debug, Clone)]
struct Session {
    name: Option<Name>,
    account: Option<AccountId>,
    connection: Option<ConnectionId>,
    seat: Option<SeatLocation>,
    /// Its subscriptions and messages while it has no connection.
    parked: ParkedSession,
    /// Until when it waits for a connection without a seat: it was restored.
    waits_until: Option<MonoTime>,
}

/// A session as it was, but for its seat, which its room knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedSession {
    pub id: SessionId,
    pub name: Option<Name>,
    pub account: Option<AccountId>,
    /// Whether it had a connection: then it had received what was published.
    pub is_connected: bool,
    pub parked: ParkedSession,
}

/// What a restored session has until its client comes back.
#[derive(Debug, Clone, Copy)]
pub enum RestoredWith {
    /// The seat that its room has for it.
    Seat(SeatLocation),
    /// Nothing, until this time.
    Nothing(MonoTime),
}

/// A session as of now.
#[derive(Debug, Clone)]
pub struct SessionState {
    pub id: SessionId,
    pub name: Option<Name>,
    pub account: Option<AccountId>,
    pub connection: Option<ConnectionId>,
    pub seat: Option<SeatLocation>,
    /// Whether it lasts without a connection and a seat: another server goes on with it, or it comes from another one.
    pub is_kept: bool,
}

/// The sessions of a server. Every call is short, and no lock is held when it returns.
pub struct Sessions {
    /// The first one signs; the others are former ones.
    keys: Vec<Hmac<Sha256>>,
    /// In the number of each session.
    node: NodeId,
    by_id: DashMap<SessionId, Session>,
    /// By every look of the session's name, so that no two names look alike.
    by_look: Mutex<BTreeMap<String, SessionId>>,
    by_account: DashMap<AccountId, Vec<SessionId>>,
    /// Names that only sessions of their accounts get.
    pub reserved: ReservedNames,
    /// Whether sessions outlive their connections also without a seat: another server goes on with them.
    keeps_all: AtomicBool,
}

impl Sessions {
    /// An empty table of a node, 0 for a server that is alone. It signs tokens with the first of `keys`, and believes those signed with
    /// any.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(keys: &[[u8; 32]], node: NodeId) -> Self {
        let keys = keys.iter().map(|key| Hmac::new_from_slice(key).expect("HMAC takes keys of any length"));
        Sessions {
            keys: keys.collect(),
            node,
            by_id: DashMap::new(),
            by_look: Mutex::default(),
            by_account: DashMap::new(),
            reserved: ReservedNames::default(),
            keeps_all: AtomicBool::new(false),
        }
    }

    /// The sessions that have a seat or a name: others have nothing to lose.
    #[must_use]
    pub fn save(&self) -> Vec<SavedSession> {
        let saved = |id, found: &Session| SavedSession {
            id,
            name: found.name.clone(),
            account: found.account,
            is_connected: found.connection.is_some(),
            parked: found.parked.clone(),
        };
        let kept = self.by_id.iter().filter(|entry| entry.seat.is_some() || entry.name.is_some());
        kept.map(|entry| saved(*entry.key(), entry.value())).collect()
    }

    /// Gives back a session, which has no connection yet.
    pub fn restore(&self, saved: SavedSession, with: RestoredWith) {
        let SavedSession { id, name, account, parked, is_connected: _ } = saved;
        let (seat, waits_until) = match with {
            RestoredWith::Seat(seat) => (Some(seat), None),
            RestoredWith::Nothing(until) => (None, Some(until)),
        };
        self.by_id.insert(id, Session { name: None, account: None, connection: None, seat, parked, waits_until });
        account.into_iter().for_each(|account| self.set_account(id, account));
        // As it was given: it passed the rules then.
        name.into_iter().for_each(|name| drop(self.set_name(id, &FitName::given(name))));
    }

    /// Ends the restored sessions that have waited for a connection long enough.
    pub fn sweep(&self, now: MonoTime) {
        let is_over = |found: &Session| found.waits_until.is_some_and(|until| until <= now);
        let over: Vec<SessionId> = self.by_id.iter().filter(|found| is_over(found)).map(|found| *found.key()).collect();
        for session in over {
            if let Some(mut found) = self.by_id.get_mut(&session) {
                found.waits_until = None;
            }
            self.end_if_unused(session);
        }
    }

    /// Makes this the connection of a restored session that has no seat, if the token is that of one.
    pub fn attach_restored(&self, token: &Token, connection: ConnectionId) -> bool {
        if !self.is_valid(token) {
            return false;
        }
        let Some(mut found) = self.by_id.get_mut(&token.session) else { return false };
        if found.waits_until.take().is_none() || found.seat.is_some() || found.connection.is_some() {
            return false;
        }
        found.connection = Some(connection);
        true
    }

    /// Opens a session over this connection. Its number is random, but for that of its node, so that it does not reveal how many sessions
    /// there are.
    pub fn open(&self, connection: ConnectionId) -> Token {
        loop {
            let session = session_of(self.node, secret::number());
            if let Entry::Vacant(free) = self.by_id.entry(session) {
                let parked = ParkedSession::default();
                let (connection, waits_until) = (Some(connection), None);
                free.insert(Session { name: None, account: None, connection, seat: None, parked, waits_until });
                return self.sign(session);
            }
        }
    }

    /// The seat that a token resumes, if the token is valid and its session still has a seat.
    #[must_use]
    pub fn seat_of(&self, token: &Token) -> Option<SeatLocation> {
        // Before the look-up, so that the time it takes does not tell which sessions there are.
        if !self.is_valid(token) {
            return None;
        }
        self.by_id.get(&token.session).and_then(|session| session.seat)
    }

    /// Whether this server, or a node of its cluster, signed the token.
    #[must_use]
    pub fn is_valid(&self, token: &Token) -> bool {
        // `verify_truncated_left` compares in constant time.
        let session = token.session.to_le_bytes();
        let signed_by = |key: &Hmac<Sha256>| key.clone().chain_update(session).verify_truncated_left(&token.signature);
        self.keys.iter().any(|key| signed_by(key).is_ok())
    }

    /// Makes this the session's connection. Returns the former one, if it had one.
    pub fn attach(&self, session: SessionId, connection: ConnectionId) -> Option<ConnectionId> {
        self.by_id.get_mut(&session).and_then(|mut found| found.connection.replace(connection))
    }

    /// Keeps the session's subscriptions and messages until its next connection.
    pub fn park(&self, session: SessionId, parked: ParkedSession) {
        if let Some(mut found) = self.by_id.get_mut(&session) {
            found.parked = parked;
        }
    }

    /// Keeps a copy of the subscriptions of a session that has a connection.
    pub fn keep_subscriptions(&self, session: SessionId, subscriptions: &Subscriptions) {
        if let Some(mut found) = self.by_id.get_mut(&session) {
            found.parked.subscriptions = subscriptions.clone();
        }
    }

    /// Takes the messages that [`Sessions::park`] kept, and gives the subscriptions.
    #[must_use]
    pub fn unpark(&self, session: SessionId) -> ParkedSession {
        let taken = self.by_id.get_mut(&session).map(|mut found| {
            let messages = std::mem::take(&mut found.parked.messages);
            ParkedSession { subscriptions: found.parked.subscriptions.clone(), messages }
        });
        taken.unwrap_or_default()
    }

    /// Queues a message for a session without a connection, unless the session mutes the sender. Returns false if it has a connection.
    pub fn park_message(&self, session: SessionId, from: Option<SenderId>, message: &EncodedMessage) -> bool {
        let Some(mut found) = self.by_id.get_mut(&session) else { return true };
        if found.connection.is_some() {
            return false;
        }
        if found.parked.subscriptions.accepts_from(from) {
            found.parked.messages.push(message.clone());
        }
        true
    }

    /// Ends the session's use of this connection. A session without a seat ends with it.
    pub fn detach(&self, session: SessionId, connection: ConnectionId) {
        if let Some(mut found) = self.by_id.get_mut(&session)
            && found.connection == Some(connection)
        {
            found.connection = None;
        }
        self.end_if_unused(session);
    }

    /// Sets or clears the session's seat.
    pub fn set_seat(&self, session: SessionId, seat: Option<SeatLocation>) {
        if let Some(mut found) = self.by_id.get_mut(&session) {
            found.seat = seat;
        }
        self.end_if_unused(session);
    }

    /// Clears the seat unless the session has since been given another.
    pub fn clear_seat(&self, session: SessionId, room: RoomId, seated: SeatAssignment) {
        if let Some(mut found) = self.by_id.get_mut(&session) {
            found.seat = found.seat.filter(|seat| (seat.room, seat.seat) != (room, seated));
        }
        self.end_if_unused(session);
    }

    /// Gives the session the wanted name, followed by a number if another session has that name or one that looks like it, or if it
    /// belongs to another account.
    ///
    /// # Panics
    /// Never: there are more numbers than sessions.
    pub fn set_name(&self, session: SessionId, wanted: &FitName) -> Name {
        for name in wanted.variants() {
            let looks = Looks::of(&name);
            // Lock order: the session first, then the looks.
            let Some(mut found) = self.by_id.get_mut(&session) else { return name };
            if !self.reserved.are_free_for(&looks, found.account) {
                continue;
            }
            let mut by_look = self.by_look();
            if looks.each().any(|look| by_look.get(look).is_some_and(|owner| *owner != session)) {
                continue;
            }
            if let Some(former) = found.name.replace(name.clone()) {
                for look in Looks::of(&former).each() {
                    by_look.remove(look);
                }
            }
            by_look.extend(looks.each().map(|look| (look.to_owned(), session)));
            return name;
        }
        unreachable!("there are more numbers than sessions")
    }

    /// The session's name; `None` until it has set one.
    #[must_use]
    pub fn name_of(&self, session: SessionId) -> Option<Name> {
        self.by_id.get(&session).and_then(|found| found.name.clone())
    }

    /// Gives the session this account, unless it has one.
    pub fn set_account(&self, session: SessionId, account: AccountId) {
        // Lock order: the session first, then its account. So it cannot end in between and leave a trace.
        if let Some(mut found) = self.by_id.get_mut(&session)
            && found.account.is_none()
        {
            found.account = Some(account);
            self.by_account.entry(account).or_default().push(session);
        }
    }

    /// The sessions of an account, oldest first.
    #[must_use]
    pub fn of_account(&self, account: AccountId) -> Vec<SessionId> {
        self.by_account.get(&account).map(|sessions| sessions.clone()).unwrap_or_default()
    }

    /// The session's account; `None` without one.
    #[must_use]
    pub fn account_of(&self, session: SessionId) -> Option<AccountId> {
        self.by_id.get(&session).and_then(|found| found.account)
    }

    /// The session that has this name, or one that looks like it.
    #[must_use]
    pub fn find(&self, name: &Name) -> Option<SessionId> {
        let by_look = self.by_look();
        Looks::of(name).each().find_map(|look| by_look.get(look).copied())
    }

    /// The session's connection, while it has one.
    #[must_use]
    pub fn connection_of(&self, session: SessionId) -> Option<ConnectionId> {
        self.by_id.get(&session).and_then(|found| found.connection)
    }

    /// The session's connection and seat, while it has them.
    #[must_use]
    pub fn whereabouts(&self, session: SessionId) -> (Option<ConnectionId>, Option<SeatLocation>) {
        self.by_id.get(&session).map_or((None, None), |found| (found.connection, found.seat))
    }

    /// The shard with this number failed: its connections, and the seats whose fan-out it did, are gone.
    pub fn lose_shard(&self, shard: usize) {
        let lost: Vec<SessionId> = self.by_id.iter().map(|found| *found.key()).collect();
        for session in lost {
            if let Some(mut found) = self.by_id.get_mut(&session) {
                found.seat = found.seat.filter(|seat| seat.shard != shard);
                found.connection = found.connection.filter(|connection| connection.shard != shard);
            }
            self.end_if_unused(session);
        }
    }

    /// Every session, in order of number: for tests of what always holds.
    #[must_use]
    pub fn all(&self) -> Vec<SessionState> {
        let keeps_all = self.keeps_all.load(Ordering::Relaxed);
        let state = |id: SessionId, found: &Session| SessionState {
            is_kept: keeps_all || found.waits_until.is_some(),
            id,
            name: found.name.clone(),
            account: found.account,
            connection: found.connection,
            seat: found.seat,
        };
        let mut all: Vec<SessionState> = self.by_id.iter().map(|entry| state(*entry.key(), entry.value())).collect();
        all.sort_by_key(|session| session.id);
        all
    }

    /// How many looks of names are taken.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.by_look().len()
    }

    /// How many accounts have sessions.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.by_account.len()
    }

    /// Number of sessions, connected or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The token of a session.
    #[must_use]
    pub fn sign(&self, session: SessionId) -> Token {
        let mut mac = self.keys[0].clone();
        mac.update(&session.to_le_bytes());
        let tag = mac.finalize().into_bytes();
        let mut signature = [0; 16];
        signature.copy_from_slice(&tag[..16]);
        Token { session, signature }
    }

    /// From here on no session ends: another server goes on with all of them.
    pub fn keep_all(&self) {
        self.keeps_all.store(true, Ordering::Relaxed);
    }

    fn end_if_unused(&self, session: SessionId) {
        if self.keeps_all.load(Ordering::Relaxed) {
            return;
        }
        let is_unused =
            |found: &Session| found.connection.is_none() && found.seat.is_none() && found.waits_until.is_none();
        let ended = self.by_id.remove_if(&session, |_, found| is_unused(found));
        let Some((_, Session { name, account, .. })) = ended else { return };
        if let Some(account) = account {
            self.by_account.alter(&account, |_, sessions| sessions.into_iter().filter(|id| *id != session).collect());
            self.by_account.remove_if(&account, |_, sessions| sessions.is_empty());
        }
        if let Some(name) = name {
            // Computed before taking the lock, for which all sessions contend.
            let looks = Looks::of(&name);
            let mut by_look = self.by_look();
            for look in looks.each() {
                by_look.remove(look);
            }
        }
    }

    fn by_look(&self) -> MutexGuard<'_, BTreeMap<String, SessionId>> {
        // A panic while the lock is held leaves no entry half-written.
        self.by_look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::ids::PlayerId;
    use broadside_shared::protocol::message::{ServerMsg, ServerNotice};
    use broadside_shared::protocol::room::Role;
    use broadside_shared::time::Tick;

    fn connection(key: usize) -> ConnectionId {
        ConnectionId { shard: 0, key, serial: key as u64 }
    }

    fn seat() -> SeatLocation {
        let seated = SeatAssignment { player: PlayerId(3), tick_zero: MonoTime(5), since: Tick(1), role: Role::Play };
        SeatLocation { shard: 1, room: RoomId(7), seat: seated }
    }

    fn name(text: &str) -> Name {
        Name::new(text).expect("a fine name")
    }

    fn set_name(sessions: &Sessions, session: SessionId, text: &str) -> Name {
        sessions.set_name(session, &FitName::new(&name(text)).expect("not reserved"))
    }

    #[test]
    fn a_token_resumes_the_seat_and_a_forged_one_does_not() {
        let sessions = Sessions::new(&[[7; 32]], 0);
        let token = sessions.open(connection(1));
        assert_eq!(sessions.seat_of(&token), None, "no seat yet");
        sessions.set_seat(token.session, Some(seat()));
        assert_eq!(sessions.seat_of(&token), Some(seat()));
        for bit in 0..128 {
            let mut forged = token;
            forged.signature[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sessions.seat_of(&forged), None);
        }
        assert_eq!(Sessions::new(&[[8; 32]], 0).seat_of(&token), None, "another server's key");
    }

    #[test]
    fn a_session_lasts_while_it_has_a_connection_or_a_seat() {
        let sessions = Sessions::new(&[[7; 32]], 0);
        let token = sessions.open(connection(1));
        set_name(&sessions, token.session, "Ann");
        sessions.set_seat(token.session, Some(seat()));
        sessions.detach(token.session, connection(1));
        assert_eq!((sessions.len(), sessions.find(&name("ann"))), (1, Some(token.session)));
        assert_eq!(sessions.connection_of(token.session), None);
        let message = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Muted));
        assert!(sessions.park_message(token.session, None, &message));
        assert_eq!(sessions.attach(token.session, connection(2)), None);
        assert!(!sessions.park_message(token.session, None, &message), "a connected session has no parked messages");
        assert!(sessions.unpark(token.session).messages.pop().is_some());
        // A late detach of the former connection changes nothing.
        sessions.detach(token.session, connection(1));
        assert_eq!(sessions.connection_of(token.session), Some(connection(2)));
        assert_eq!(sessions.attach(token.session, connection(3)), Some(connection(2)), "a takeover");
        sessions.detach(token.session, connection(3));
        sessions.set_seat(token.session, None);
        assert!(sessions.is_empty());
        assert_eq!(
            set_name(&sessions, sessions.open(connection(4)).session, "Ann"),
            name("Ann"),
            "the name is free again"
        );
    }

    #[test]
    fn sessions_that_want_the_same_name_get_numbers() {
        let sessions = Sessions::new(&[[7; 32]], 0);
        let names: Vec<Name> = (0..11)
            .map(|key| set_name(&sessions, sessions.open(connection(key)).session, "Captain Longname"))
            .collect();
        assert_eq!(names[0], name("Captain Longname"));
        assert_eq!(names[1], name("Captain Longna 2"));
        assert_eq!(names[10], name("Captain Longn 11"));
        assert_eq!(sessions.find(&names[10]).and_then(|session| sessions.connection_of(session)), Some(connection(10)));
    }

    #[test]
    fn a_lookalike_name_gets_a_number_and_a_name_given_up_is_free_in_all_its_looks() {
        let sessions = Sessions::new(&[[7; 32]], 0);
        let [ann, bob, eve] = [1, 2, 3].map(|key| sessions.open(connection(key)).session);
        assert_eq!(set_name(&sessions, ann, "ALEX"), name("ALEX"));
        // All of it Cyrillic but the L.
        assert_eq!(set_name(&sessions, bob, "АLЕХ"), name("АLЕХ 2"));
        assert_eq!(sessions.find(&name("аlеk")), None, "it looks like no name in use");
        assert_eq!(sessions.find(&name("𝐀𝐋𝐄𝐗")), Some(ann));
        assert_eq!(set_name(&sessions, ann, "alex"), name("alex"), "the holder of a name may change its spelling");
        assert_eq!(set_name(&sessions, ann, "Lucy"), name("Lucy"));
        assert_eq!(set_name(&sessions, eve, "Alex"), name("Alex"), "the former name is free");
        assert_eq!(set_name(&sessions, bob, "Lucу"), name("Lucу 2"));
        for (session, key) in [(ann, 1), (bob, 2), (eve, 3)] {
            sessions.detach(session, connection(key));
        }
        assert!(sessions.by_look().is_empty(), "nothing is left of ended sessions");
        set_name(&sessions, ann, "Ann");
        assert!(sessions.by_look().is_empty(), "an ended session gets no name");
    }

    #[test]
    fn an_account_is_set_once_and_its_sessions_are_found_while_they_last() {
        let sessions = Sessions::new(&[[7; 32]], 0);
        let (ann, eve) = (AccountId([1; 16]), AccountId([2; 16]));
        let [first, second] = [1, 2].map(|key| sessions.open(connection(key)).session);
        sessions.set_account(first, ann);
        sessions.set_account(second, ann);
        sessions.set_account(first, eve);
        assert_eq!((sessions.account_of(first), sessions.of_account(eve)), (Some(ann), vec![]));
        assert_eq!(sessions.of_account(ann), [first, second]);
        sessions.detach(first, connection(1));
        assert_eq!(sessions.of_account(ann), [second]);
        sessions.detach(second, connection(2));
        sessions.set_account(second, eve);
        assert!(sessions.by_account.is_empty(), "nothing is left of ended sessions");
    }

    #[test]
    fn the_name_of_an_account_is_given_to_its_sessions_only() {
        let sessions = Sessions::new(&[[7; 32]], 0);
        let ann = AccountId([1; 16]);
        let [guest, owner, other] = [1, 2, 3].map(|key| sessions.open(connection(key)).session);
        sessions.set_account(owner, ann);
        assert_eq!(set_name(&sessions, guest, "Ann"), name("Ann"));
        sessions.reserved.claim(ann, &name("Ann")).expect("no other account has it");
        assert_eq!(sessions.name_of(guest), Some(name("Ann")), "nobody is renamed");
        assert_eq!(set_name(&sessions, owner, "Ann"), name("Ann 2"), "two live sessions never look alike");
        assert_eq!(set_name(&sessions, guest, "Ann"), name("Ann 3"), "a guest who asks again has lost it");
        assert_eq!(set_name(&sessions, owner, "Ann"), name("Ann"));
        assert_eq!(set_name(&sessions, other, "Аnn"), name("Аnn 2"), "nor one that looks like it");
    }
}
