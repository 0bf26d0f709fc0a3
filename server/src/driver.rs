//! A room's threads: one waits for each tick and steps the room, one (in `net::sender`) tells the players.
//!
//! Ticks have absolute deadlines, so nothing drifts. One that starts late or runs long is counted as an overrun; if the room
//! falls behind by more than `CATCH_UP_TICKS`, the ticks in between are dropped and counted as missed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{RoomId, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::time::{MonoTime, Tick, tick_us};
use tokio::sync::oneshot;

use crate::clock::MonoClock;
use crate::net::conn::Conn;
use crate::net::sender::{self, Handoff};
use crate::room::{Room, RoomConfig, RoomFull, RoomOutput};

/// Mails waiting for a room at the most: a second of inputs of 4,000 players. An input more is dropped, and the client is told
/// as for any other input that did not come; a join more is answered with "room is full".
const MAILBOX: usize = 120_000;
/// Ticks a late room steps at once to catch up; beyond, they are dropped.
const CATCH_UP_TICKS: u32 = 4;

/// What others say to a room.
pub enum Mail<G: Game> {
    /// A connection asks for a seat.
    Join {
        /// Under this name.
        name: Name,
        /// Snapshots go here.
        conn: Arc<Conn>,
        /// The answer goes here.
        reply: oneshot::Sender<Result<Seated, RoomFull>>,
    },
    /// The connection of the player in this seat is gone.
    Leave(Seated),
    /// Inputs of the player in this seat came.
    Input(Seated, InputPacket<G::Input>, MonoTime),
}

/// A seat that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seated {
    /// The seat.
    pub player: PlayerId,
    /// When tick 0 of the room was due. A room that failed and began anew has another one, so that what was meant for the
    /// seats of the former is not taken for those of the new.
    pub tick_zero: MonoTime,
}

/// A room as others see it: its mailbox and its figures.
pub struct RoomHandle<G: Game> {
    /// Its number.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// How it was opened.
    pub config: RoomConfig,
    /// What it says of itself.
    pub figures: Arc<RoomFigures>,
    mailbox: SyncSender<Mail<G>>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// A room's figures, written by its threads, read by anyone.
#[derive(Debug, Default)]
pub struct RoomFigures {
    /// How many play.
    pub players: AtomicU16,
    /// The newest tick.
    pub tick: AtomicU32,
    /// How long the newest tick took, in microseconds.
    pub tick_us: AtomicU32,
    /// Ticks that started late or ran long: ended after the next one was due.
    pub overruns: AtomicU64,
    /// Ticks that were dropped.
    pub missed: AtomicU64,
    /// Inputs dropped because the mailbox was full.
    pub mails_dropped: AtomicU64,
    /// Snapshots written.
    pub snapshots: AtomicU64,
    /// Snapshots superseded: skipped because the client had not taken the ones before.
    pub superseded: AtomicU64,
    /// Times a connection was given less, because its line did not take what it got.
    pub budget_steps_down: AtomicU64,
    /// Times a connection was given more again.
    pub budget_steps_up: AtomicU64,
    /// Ticks whose fan-out was skipped because the sender was still busy.
    pub fanouts_skipped: AtomicU64,
    /// Times the room broke down and began anew.
    pub failures: AtomicU64,
    ending: AtomicBool,
}

impl<G: Game> RoomHandle<G> {
    /// Opens a room with its threads.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn open(id: RoomId, name: &str, config: RoomConfig, clock: MonoClock) -> std::io::Result<Self> {
        let (mailbox, mails) = sync_channel(MAILBOX);
        let figures = Arc::new(RoomFigures::default());
        let seen = Arc::clone(&figures);
        let thread = std::thread::Builder::new()
            .name(format!("room-{id}"))
            .spawn(move || supervise::<G>(config, &mails, &seen, clock))?;
        let thread = std::sync::Mutex::new(Some(thread));
        Ok(RoomHandle { id, name: name.to_owned(), config, figures, mailbox, thread })
    }

    /// Puts a mail into the room's mailbox; gives it back when the mailbox is full or the room gone, which is counted.
    ///
    /// # Errors
    /// The mail.
    pub fn send(&self, mail: Mail<G>) -> Result<(), Mail<G>> {
        self.mailbox.try_send(mail).map_err(|refused| {
            self.figures.mails_dropped.fetch_add(1, Ordering::Relaxed);
            match refused {
                TrySendError::Full(mail) | TrySendError::Disconnected(mail) => mail,
            }
        })
    }

    /// The message that tells a client of its seat.
    #[must_use]
    pub fn joined(&self, seated: Seated) -> ServerMsg {
        ServerMsg::Joined {
            room: self.id,
            player: seated.player,
            tick_hz: G::TICK_HZ,
            snapshot_every: self.config.snapshot_every,
            tick_zero: seated.tick_zero,
        }
    }

    /// Whether the room's thread is gone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.thread.lock().is_ok_and(|thread| thread.as_ref().is_none_or(JoinHandle::is_finished))
    }

    /// Ends the room's threads and waits for them.
    pub fn end(&self) {
        self.figures.ending.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// Runs a room until it is told to end; one that panics is closed with a code and begins anew.
fn supervise<G: Game>(config: RoomConfig, mails: &Receiver<Mail<G>>, figures: &Arc<RoomFigures>, clock: MonoClock) {
    let mut config = config;
    while !figures.ending.load(Ordering::Relaxed) {
        let handoff = Arc::new(Handoff::default());
        let run = || run::<G>(config, mails, figures, clock, &handoff);
        if std::panic::catch_unwind(AssertUnwindSafe(run)).is_err() {
            handoff.fail(CloseCode::RoomFailed);
            figures.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                seed = config.seed,
                tick = figures.tick.load(Ordering::Relaxed),
                "room failed; begins anew"
            );
            config.seed = config.seed.wrapping_add(1);
            // What waited was meant for the room that failed; its connections are being closed.
            while mails.try_recv().is_ok() {}
        }
    }
}

fn run<G: Game>(
    config: RoomConfig,
    mails: &Receiver<Mail<G>>,
    figures: &Arc<RoomFigures>,
    clock: MonoClock,
    handoff: &Arc<Handoff>,
) {
    let tick_zero = clock.now();
    let interval_us = tick_us(G::TICK_HZ, config.snapshot_every);
    let fanout = match sender::spawn::<G>(Arc::clone(handoff), Arc::clone(figures), clock, interval_us) {
        Ok(fanout) => fanout,
        Err(error) => {
            tracing::error!(%error, "no thread for the room's sender; trying again in a second");
            return clock.sleep_until(clock.now().plus_ms(1000));
        }
    };
    let mut room = Room::<G>::new(config, &G::Config::default(), tick_zero);
    let mut out = RoomOutput::default();
    let mut tick = Tick(1);
    tracing::info!(seed = config.seed, capacity = config.capacity, every = config.snapshot_every, "room open");
    while !figures.ending.load(Ordering::Relaxed) && handoff.alive() {
        clock.sleep_until(room.due_at(tick));
        let began = clock.now();
        while let Ok(mail) = mails.try_recv() {
            take_mail(&mut room, mail, &mut out, handoff, tick_zero);
        }
        room.step(tick, &mut out);
        if !handoff.put(&mut out) {
            figures.fanouts_skipped.fetch_add(1, Ordering::Relaxed);
        }
        figures.players.store(room.players(), Ordering::Relaxed);
        figures.tick.store(tick.0, Ordering::Relaxed);
        figures.tick_us.store(clock.now().us_since(began) as u32, Ordering::Relaxed);
        tick = next_tick(&room, tick, clock.now(), figures);
    }
    handoff.end();
    let sender_failed = fanout.join().is_err();
    assert!(!sender_failed, "the sender of a room panicked");
}

fn take_mail<G: Game>(room: &mut Room<G>, mail: Mail<G>, out: &mut RoomOutput, handoff: &Handoff, tick_zero: MonoTime) {
    match mail {
        Mail::Join { name, conn, reply } => {
            let answer = room.join(name, out).map(|player| Seated { player, tick_zero });
            let player = answer.map(|seated| seated.player);
            match (reply.send(answer), player) {
                (Ok(()), Ok(player)) => handoff.seat(player, conn),
                // The connection went while it waited.
                (Err(_), Ok(player)) => room.leave(player, out),
                (_, Err(_)) => {}
            }
        }
        Mail::Leave(seated) if seated.tick_zero == tick_zero => {
            handoff.unseat(seated.player);
            room.leave(seated.player, out);
        }
        Mail::Input(seated, packet, arrived) if seated.tick_zero == tick_zero => {
            room.input(seated.player, &packet, arrived);
        }
        // Meant for the room that failed before this one.
        Mail::Leave(_) | Mail::Input(..) => {}
    }
}

/// The tick to step after `tick`: the next, unless the room is too far behind.
fn next_tick<G: Game>(room: &Room<G>, tick: Tick, now: MonoTime, figures: &RoomFigures) -> Tick {
    let next = tick.after(1);
    if now < room.due_at(next) {
        return next;
    }
    figures.overruns.fetch_add(1, Ordering::Relaxed);
    let period_us = tick_us(G::TICK_HZ, 1).max(1);
    let behind = (now.us_since(room.due_at(next)) / period_us) as u32;
    if behind <= CATCH_UP_TICKS {
        return next;
    }
    figures.missed.fetch_add(u64::from(behind), Ordering::Relaxed);
    tracing::warn!(%tick, behind, "ticks missed");
    next.after(behind)
}
