//! Recordings of a room, and their replay.

use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::recording::block::{self, BlockKind, MAGIC};
use broadside_shared::recording::recorder::Recorded;
use broadside_shared::recording::replay::{Recording, RecordingError, Replay, Replayed};
use broadside_shared::recording::{RecordedPlayer, batch};
use broadside_shared::time::{MonoTime, Tick};
use broadside_shared::toy::{Lamp, PANICS, Push, Toy};
use fastrand::Rng;

use crate::room::{Room, RoomConfig, RoomOutput};

const RULES: u64 = 7;

/// A room of toys in which people come, go, steer, ask and are renamed by chance, and in which ticks are dropped.
struct Scene {
    room: Room<Toy>,
    out: RoomOutput,
    rng: Rng,
    tick: Tick,
    players: Vec<PlayerId>,
    file: Vec<u8>,
}

impl Scene {
    fn new(seed: u64) -> Scene {
        let config = RoomConfig { snapshot_every: 2, capacity: 4, seed, mode: ModeId(0) };
        let mut room = Room::new(config, &(), MonoTime(0));
        room.record(RULES, RoomId(3), 4);
        let rng = Rng::with_seed(seed);
        Scene { room, out: RoomOutput::default(), rng, tick: Tick(0), players: Vec::new(), file: Vec::new() }
    }

    fn name(&mut self) -> Name {
        Name::new(&format!("toy {}", self.rng.u8(..))).expect("a fine name")
    }

    fn step(&mut self) {
        let dropped = if self.rng.u8(..) == 0 { self.rng.u32(0..200) } else { 0 };
        self.tick = self.tick.after(1 + dropped);
        match self.rng.u8(0..60) {
            0 => {
                let name = self.name();
                self.players.extend(self.room.join(name));
            }
            1 if self.players.len() > 1 => {
                let player = self.players.swap_remove(self.rng.usize(..self.players.len()));
                self.room.leave(player);
            }
            2 => drop(self.room.spectate(Name::new("eye").expect("a fine name"))),
            _ => {}
        }
        for player in self.players.clone() {
            match self.rng.u8(..) {
                0..32 => {
                    let push = Push(self.rng.i8(-1..=1), self.rng.i8(-1..=1));
                    let packet = InputPacket {
                        acked: Tick(0),
                        first: self.tick,
                        lag: self.rng.u32(0..300),
                        samples: [push].into_iter().collect(),
                    };
                    self.room.input(player, &packet, MonoTime(0));
                }
                32 => drop(self.room.request(player, &Lamp(self.rng.u16(0..40)))),
                33 => {
                    let name = self.name();
                    self.room.rename(player, &name);
                }
                _ => {}
            }
        }
        self.room.step(self.tick, 0, &mut self.out, |_| {});
        for recorded in self.room.take_recorded() {
            match recorded {
                Recorded::Begun(bytes) | Recorded::Ended(bytes) => self.file.extend(bytes),
                Recorded::Continued(bytes) => self.file.extend(&*bytes),
            }
        }
    }

    fn run(&mut self, ticks: u32) {
        (0..ticks).for_each(|_| self.step());
    }
}

/// Replays to the end, or to where it goes another way; gives the ticks and the final world's hash.
fn replay(bytes: &[u8], from: Tick) -> Result<(u32, u64, Vec<RecordedPlayer>), Tick> {
    let recording = Recording::read(bytes).expect("a recording");
    recording.check::<Toy>(RULES).expect("of these rules");
    let mut replay = Replay::<Toy, _>::new(&recording, from).expect("a checkpoint");
    let mut ticks = 0;
    loop {
        match replay.step() {
            Replayed::Tick(_) => ticks += 1,
            Replayed::Diverged(divergence) => return Err(divergence.tick),
            Replayed::Unreadable(tick) => panic!("unreadable after {tick}"),
            Replayed::Ended => {
                let names = replay.names().iter().map(|(player, name)| (*player, name.clone()));
                let players = names.map(|(player, name)| RecordedPlayer { player, name }).collect();
                return Ok((ticks, replay.world().hash(), players));
            }
        }
    }
}

#[test]
fn a_recording_replays_to_the_same_world_from_its_start_and_from_every_checkpoint() {
    for seed in 0..20 {
        let mut scene = Scene::new(seed);
        scene.run(500);
        scene.room.begin_recording();
        let began = scene.room.stepped();
        scene.run(3000);
        let (end, hash) = (scene.tick, scene.room.game().hash());
        scene.players.sort();
        let player = |player: &PlayerId| RecordedPlayer {
            player: *player,
            name: scene.room.name_of(*player).expect("seated").clone(),
        };
        let players: Vec<RecordedPlayer> = scene.players.iter().map(player).collect();
        scene.room.end_recording();
        for recorded in scene.room.take_recorded() {
            let (Recorded::Begun(bytes) | Recorded::Ended(bytes)) = recorded else {
                let Recorded::Continued(bytes) = recorded else { unreachable!() };
                scene.file.extend(&*bytes);
                continue;
            };
            scene.file.extend(bytes);
        }
        let recording = Recording::read(&scene.file).expect("a recording");
        assert!(recording.is_whole, "seed {seed}");
        assert_eq!((recording.bytes, recording.head.room), (scene.file.len(), RoomId(3)));
        let ticks = scene.room.stepped() - began;
        assert_eq!(replay(&scene.file, Tick(0)), Ok((ticks, hash, players.clone())), "seed {seed}");
        let (later, same_hash, same_players) = replay(&scene.file, end).expect("the last checkpoint");
        assert!(later < ticks && (same_hash, same_players) == (hash, players), "seed {seed}");
    }
}

#[test]
fn a_recording_cut_anywhere_replays_what_is_left_and_a_flipped_bit_ends_it() {
    let mut scene = Scene::new(5);
    scene.run(100);
    scene.room.begin_recording();
    scene.run(1500);
    let file = &scene.file;
    let whole = replay(file, Tick(0)).expect("it agrees").0;
    let mut readable = 0;
    for length in (0..file.len()).step_by(7) {
        match Recording::read(&file[..length]) {
            Ok(recording) => {
                assert!(!recording.is_whole && recording.bytes <= length);
                readable += 1;
                if length.is_multiple_of(49) {
                    assert!(replay(&file[..length], Tick(0)).expect("it agrees").0 <= whole);
                }
            }
            Err(why) => assert!(matches!(why, RecordingError::NotARecording | RecordingError::Damaged(_)), "{why}"),
        }
    }
    assert!(readable > 100, "{readable}");
    let mut flipped = file.clone();
    let at = file.len() * 2 / 3;
    flipped[at] ^= 4;
    let recording = Recording::read(&flipped).expect("its beginning is good");
    assert!(!recording.is_whole && recording.bytes <= at);
}

#[test]
fn a_changed_input_is_found_at_its_tick() {
    let mut scene = Scene::new(9);
    scene.run(400);
    scene.room.begin_recording();
    scene.run(900);
    let (mut changed, mut at, mut wanted) = (MAGIC.to_vec(), MAGIC.len(), None);
    while let Some((kind, payload, length)) = block::read::<BlockKind>(&scene.file[at..]) {
        let mut payload = payload.to_vec();
        if kind == BlockKind::Ticks && wanted.is_none() {
            let mut batch = batch::Batch::<Toy>::decode(&payload).expect("a batch");
            let column = batch.columns.iter_mut().find(|column| column.inputs.len() > 1);
            if let Some((place, input)) = column.and_then(|column| column.inputs.get_mut(1)) {
                input.0 = if input.0 == 1 { -1 } else { input.0 + 1 };
                wanted = Some(batch.ticks[usize::from(*place)]);
            }
            payload = batch.encode();
        }
        changed.extend(block::write(kind, &payload));
        at += length;
    }
    let wanted = wanted.expect("somebody steers");
    assert_eq!(replay(&changed, Tick(0)), Err(wanted));
}

#[test]
fn the_last_minute_holds_the_tick_that_panicked() {
    let mut scene = Scene::new(11);
    scene.run(6000);
    assert!(scene.file.is_empty(), "nobody keeps it");
    PANICS.set(true);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene.step())).is_err());
    let minute = scene.room.last_minute().expect("it was recorded");
    let recording = Recording::read(&minute).expect("a recording");
    let mut replay = Replay::<Toy, _>::new(&recording, Tick(0)).expect("a checkpoint");
    let mut ticks = 0;
    while replay.tick() < scene.tick {
        PANICS.set(replay.tick().after(1) == scene.tick);
        let step = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| replay.step()));
        match step {
            Ok(Replayed::Tick(_)) => ticks += 1,
            Ok(_) => panic!("the replay ends at {}", replay.tick()),
            Err(_) => break,
        }
    }
    PANICS.set(false);
    assert!(ticks >= 60 * 30, "{ticks}");
    assert_eq!(replay.tick(), scene.tick, "the last one is the one that panicked");
}

#[test]
fn a_room_with_too_many_players_is_recorded_again_once_it_has_fewer() {
    let mut scene = Scene::new(3);
    scene.room.record(RULES, RoomId(3), 1);
    let name = |text| Name::new(text).expect("a fine name");
    let ann = scene.room.join(name("Ann")).expect("a free seat");
    let step = |scene: &mut Scene, ticks: u32| {
        for _ in 0..ticks {
            scene.tick = scene.tick.after(1);
            scene.room.step(scene.tick, 0, &mut scene.out, |_| {});
        }
    };
    step(&mut scene, 100);
    scene.room.begin_recording();
    scene.room.join(name("Ben")).expect("a free seat");
    step(&mut scene, 100);
    assert_eq!(scene.room.last_minute(), None);
    assert!(matches!(scene.room.take_recorded()[..], [Recorded::Begun(_), .., Recorded::Ended(_)]), "it is whole");
    scene.room.leave(ann);
    step(&mut scene, 100);
    let minute = scene.room.last_minute().expect("it is recorded again");
    let (ticks, hash, players) = replay(&minute, Tick(0)).expect("it agrees");
    assert_eq!((ticks, hash, players.len()), (99, scene.room.game().hash(), 1));
}

#[test]
fn other_rules_other_games_and_other_files_are_refused_by_name() {
    let mut scene = Scene::new(1);
    scene.run(100);
    let minute = scene.room.last_minute().expect("it was recorded");
    let recording = Recording::read(&minute).expect("a recording");
    let refused = recording.check::<Toy>(8).expect_err("other rules").to_string();
    assert!(refused.contains("0000000000000007") && refused.contains("0000000000000008"), "{refused}");
    let mut other = minute.clone();
    other[7] = 9;
    assert_eq!(Recording::read(&other).map(|_| ()), Err(RecordingError::OtherFormat(9)));
    assert_eq!(Recording::read(b"hello").map(|_| ()), Err(RecordingError::NotARecording));
}
