use fastrand::Rng;

use super::*;
use crate::client::ClientEvent;
use crate::game::PlayerInput;
use crate::history::History;
use crate::ids::RoomId;
use crate::protocol::name::Name;
use crate::recording::Head;
use crate::recording::batch::{Batch, Call};
use crate::recording::block::{self, BlockKind, MAGIC};
use crate::recording::recorder::{Recorded, Recorder};
use crate::time::ViewTime;
use crate::toy::{DUEL, MATCH, Push, Toy};

const RULES: u64 = 7;
/// When the recording of [`recorded`] begins.
const FIRST: u32 = 100;
/// Length of a display's frame, in microseconds.
const FRAME_US: u64 = 16_667;

/// A duel of toys, recorded for so many ticks; the second player comes in the first second. Gives the hashes by tick, from [`FIRST`] on.
fn recorded(ticks: u32) -> (Arc<[u8]>, Vec<u64>) {
    let head = Head { game: Toy::NAME.to_owned(), rules: RULES, mode: DUEL, room: RoomId(3), tick_hz: Toy::TICK_HZ };
    let mut recorder = Recorder::<Toy>::new(head, 8);
    let (mut toy, mut rng, mut events) = (Toy::new(&(), DUEL, 1), Rng::with_seed(5), Vec::new());
    let names = ["Ann", "Ben"].map(|name| Name::new(name).expect("a valid name"));
    let (mut held, mut hashes, mut history) = (vec![Push(0, 0)], Vec::new(), History::default());
    toy.join(PlayerId(0), Tick(FIRST), &mut events);
    let join = |toy: &mut Toy, recorder: &mut Recorder<Toy>, tick| {
        toy.join(PlayerId(1), tick, &mut Vec::new());
        recorder.called(Call::Join { player: PlayerId(1), name: names[1].clone() });
    };
    recorder.begin(Tick(FIRST), &toy, &history, [(PlayerId(0), &names[0])].into_iter());
    hashes.push(toy.hash());
    for tick in (FIRST + 1..=FIRST + ticks).map(Tick) {
        if tick == Tick(FIRST + 30) {
            join(&mut toy, &mut recorder, tick);
            held.push(Push(0, 0));
        }
        for held in &mut held {
            if rng.u8(..) < 12 {
                *held = Push(rng.i8(-1..=1), rng.i8(-1..=1));
            }
        }
        let seated = (0..).map(PlayerId).zip(&held);
        let inputs: Vec<_> =
            seated.map(|(player, input)| PlayerInput { player, input: *input, view: ViewTime::of(tick) }).collect();
        recorder.stepping(tick, &inputs);
        toy.step(tick, &inputs, &history, &mut events);
        history.record(tick, |poses| toy.poses(poses));
        recorder.stepped(&toy, &history, (0..).map(PlayerId).zip(&names).take(held.len()));
        hashes.push(toy.hash());
    }
    recorder.end();
    let bytes = recorder.take().into_iter().fold(Vec::new(), |mut bytes, part| {
        match part {
            Recorded::Begun(more) | Recorded::Ended(more) => bytes.extend(more),
            Recorded::Continued(more) => bytes.extend(&*more),
        }
        bytes
    });
    (bytes.into(), hashes)
}

/// The same recording, but for one input of its second second.
fn with_another_input(bytes: &[u8]) -> Arc<[u8]> {
    let (mut changed, mut at, mut batches) = (MAGIC.to_vec(), MAGIC.len(), 0);
    while let Some((kind, payload, length)) = block::read::<BlockKind>(&bytes[at..]) {
        let mut payload = payload.to_vec();
        batches += u32::from(kind == BlockKind::Ticks);
        if kind == BlockKind::Ticks && batches == 2 {
            let mut batch = Batch::<Toy>::decode(&payload).expect("a batch");
            let column = batch.columns.iter_mut().find(|column| !column.inputs.is_empty()).expect("somebody steers");
            let input = &mut column.inputs[0].1;
            input.0 = if input.0 == 1 { -1 } else { input.0 + 1 };
            payload = batch.encode();
        }
        changed.extend(block::write(kind, &payload));
        at += length;
    }
    changed.into()
}

fn open(bytes: &Arc<[u8]>) -> Playback<Toy> {
    Playback::new(Arc::clone(bytes), RULES).expect("a recording")
}

/// Steps until the moment can be drawn, and draws it.
fn draw(playback: &mut Playback<Toy>) -> u32 {
    let mut steps = 0;
    while playback.is_behind() {
        playback.step();
        steps += 1;
    }
    playback.view();
    steps
}

/// Shows frame after frame for so many seconds, from `now` on.
fn watch(playback: &mut Playback<Toy>, now: &mut MonoTime, seconds: u64) {
    for _ in 0..seconds * 1_000_000 / FRAME_US {
        *now = now.plus_us(FRAME_US);
        playback.handle_time(*now);
        draw(playback);
    }
}

#[test]
fn a_seek_leads_to_the_world_that_playing_leads_to() {
    let (bytes, hashes) = recorded(2400);
    let mut playback = open(&bytes);
    playback.pause();
    let mut rng = Rng::with_seed(1);
    for _ in 0..60 {
        let to = rng.u32(0..=2400);
        playback.seek(f64::from(to) / f64::from(Toy::TICK_HZ));
        let steps = draw(&mut playback);
        let (tick, hash) = playback.world();
        assert_eq!((tick, hash), (Tick(FIRST + to), hashes[to as usize]));
        // A checkpoint is written every ten seconds.
        assert!(steps <= 601, "{steps} steps to {to}");
        assert_eq!(playback.client().last_view().entities.len(), if to < 30 { 1 } else { 2 }, "at {to}");
        assert!(!playback.is_seeking() && playback.end().is_none());
    }
}

#[test]
fn a_match_plays_at_its_speed_stands_still_and_ends_at_its_last_tick() {
    let (bytes, hashes) = recorded(1200);
    let (mut playback, mut now) = (open(&bytes), MonoTime(5_000_000));
    assert_eq!((playback.at_s(), playback.length_s(), playback.mode()), (0.0, 20.0, DUEL));
    playback.handle_time(now);
    for (speed, seconds, played) in [(2, 2, 2.0), (0, 4, 1.0), (4, 2, 8.0)] {
        let before = playback.at_s();
        playback.set_speed(speed);
        watch(&mut playback, &mut now, seconds);
        assert!((playback.at_s() - before - played).abs() < 0.2, "{} after {before}", playback.at_s());
    }
    playback.pause();
    let before = playback.at_s();
    watch(&mut playback, &mut now, 3);
    assert_eq!(playback.at_s(), before);
    playback.play();
    // A tab that was in the background for an hour goes on where it was.
    now = now.plus_us(3_600_000_000);
    playback.handle_time(now);
    assert!(playback.at_s() < before + 1.1, "{}", playback.at_s());
    watch(&mut playback, &mut now, 10);
    assert!(playback.has_ended() && playback.end().is_none());
    assert_eq!(playback.world(), (Tick(FIRST + 1200), hashes[1200]));
    // Again.
    playback.play();
    draw(&mut playback);
    assert_eq!((playback.at_s(), playback.world().0, playback.has_ended()), (0.0, Tick(FIRST), false));
}

#[test]
fn names_and_the_match_are_shown_and_whoever_is_followed_comes_and_goes() {
    let (bytes, _) = recorded(MATCH + 120);
    let (mut playback, mut now) = (open(&bytes), MonoTime(0));
    playback.view();
    assert_eq!((playback.client().following(), playback.client().name_of(PlayerId(1))), (Some(PlayerId(0)), None));
    watch(&mut playback, &mut now, 2);
    let status = playback.client().match_status().expect("a match").clone();
    assert_eq!(status.teams.iter().map(|team| &*team.name).collect::<Vec<_>>(), ["Ann", "Ben"]);
    playback.follow(Some(PlayerId(1)));
    assert_eq!(playback.client().following(), Some(PlayerId(1)));
    // Before he came she is the best there is; afterwards it is him again.
    playback.seek(0.1);
    draw(&mut playback);
    assert_eq!(playback.client().following(), Some(PlayerId(0)));
    playback.seek(3.0);
    draw(&mut playback);
    assert_eq!(playback.client().following(), Some(PlayerId(1)));
    playback.follow(None);
    assert_eq!(playback.client().following(), None);
    assert!(playback.client_mut().poll_event().is_none_or(|event| matches!(event, ClientEvent::Game(_))));
}

#[test]
fn other_rules_are_refused_and_another_world_is_noticed() {
    let (bytes, _) = recorded(900);
    let refused = Playback::<Toy>::new(Arc::clone(&bytes), 8).err().expect("other rules");
    assert!(matches!(refused, RecordingError::OtherRules { recorded: RULES, ours: 8 }), "{refused}");
    // As a machine that computes something else.
    let mut playback = open(&with_another_input(&bytes));
    playback.seek(9.0);
    draw(&mut playback);
    assert_eq!(playback.end(), None, "it is compared with the checkpoint that follows");
    let mut now = MonoTime(0);
    watch(&mut playback, &mut now, 3);
    assert!(matches!(playback.end(), Some(PlaybackEnd::Diverged(_))), "{:?}", playback.end());
    assert!(playback.has_ended());
}
