//! A recorded match in the browser: it plays, stands still, goes to any moment, and is the same after a reload.

use std::path::PathBuf;
use std::sync::Arc;

use broadside_arena::ai::{Ai, Seen};
use broadside_arena::modes::Mode;
use broadside_arena::record_view::Scene;
use broadside_arena::{Arena, ArenaInput};
use broadside_puck::{Puck, PuckInput};
use broadside_shared::game::{Game, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::playback::Playback;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::recording::Head;
use broadside_shared::recording::recorder::{Recorded, Recorder};
use broadside_shared::time::{Tick, ViewTime};
use broadside_shared::trial::rules_hash;
use glam::Vec2;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::page::{Page, State, number};
use crate::people::Data;
use crate::server::Server;
use crate::{DESKTOP, SMALL, setup};

/// Length of the match, in seconds: longer than three minutes, for a seek over so much.
const LENGTH_S: u32 = 200;
const NAMES: [&str; 6] = ["Ann", "Ben", "Cleo", "Dora", "Emil", "Fay"];
const ID: &str = "01a21f7fee25b774203cfcb01d3ea042";
const OF_OTHER_RULES: &str = "01a21f7fee25b774203cfcb01d3ea043";
/// The size of a phone.
const PHONE: (u32, u32) = (390, 844);

/// A match of a game, recorded as a room records it. `input` is what a player does before a tick.
fn recorded<G: Game>(
    (rules, mode): (u64, ModeId),
    (names, seconds): (&[&str], u32),
    mut input: impl FnMut(&G, Tick, PlayerId) -> G::Input,
) -> Vec<u8> {
    let head = Head { game: G::NAME.to_owned(), rules, mode, room: RoomId(3), tick_hz: G::TICK_HZ };
    let mut recorder = Recorder::<G>::new(head, names.len());
    let mut world = G::new(&G::Config::default(), mode, 5);
    let (mut history, mut events) = (History::default(), Vec::new());
    let name = |name: &&str| Name::new(name).expect("a valid name");
    let names: Vec<(PlayerId, Name)> = (0..).map(PlayerId).zip(names.iter().map(name)).collect();
    let named = || names.iter().map(|(player, name)| (*player, name));
    names.iter().for_each(|(player, _)| world.join(*player, Tick(1), &mut events));
    recorder.begin(Tick(0), &world, &history, named());
    for tick in (1..=seconds * G::TICK_HZ).map(Tick) {
        let view = ViewTime::of(tick.before(1));
        let input = |(player, _): (PlayerId, _)| PlayerInput { player, input: input(&world, tick, player), view };
        let inputs: Vec<_> = named().map(input).collect();
        recorder.stepping(tick, &inputs);
        events.clear();
        world.step(tick, &inputs, &history, &mut events);
        history.record(tick, |poses| world.poses(poses));
        recorder.stepped(&world, &history, named());
    }
    recorder.end();
    recorder.take().into_iter().fold(Vec::new(), |mut bytes, part| {
        match part {
            Recorded::Begun(more) | Recorded::Ended(more) => bytes.extend(more),
            Recorded::Continued(more) => bytes.extend(&*more),
        }
        bytes
    })
}

/// Two teams of AIs that fight.
fn recorded_match(rules: u64, seconds: u32) -> Vec<u8> {
    let mut ais: Vec<Ai> = (0..NAMES.len()).map(|n| Ai::new(n as u64 * 77, 0.5 + 0.08 * n as f32)).collect();
    let (mut scene, mut records) = (Scene::default(), Vec::new());
    recorded::<Arena>((rules, Mode::Teams.id()), (&NAMES, seconds), |arena, tick, player| {
        let Some(own) = arena.player_state(player) else { return ArenaInput::default() };
        let before = tick.before(1);
        records.clear();
        arena.replicate(before, &mut records);
        let near = |at: &Vec2| ((*at - own.position).abs() * 2.0).cmplt(Arena::VIEW).all();
        scene.fill(records.iter().filter(|(at, _)| near(at)).map(|(_, record)| record));
        ais[usize::from(player.0)].think(&Seen { tick: before, own, scene: &scene, ships_at: f64::from(before.0) })
    })
}

/// A data folder with recordings, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(recordings: &[(&str, &[u8])]) -> Folder {
        let name = recordings.first().map_or("none", |(id, _)| *id);
        let folder = PathBuf::from(format!("{}/replay-{}-{name}", env!("CARGO_TARGET_TMPDIR"), std::process::id()));
        std::fs::create_dir_all(folder.join("recordings")).expect("the folder can be made");
        for (id, bytes) in recordings {
            let file = folder.join("recordings").join(id).with_extension("bsr");
            std::fs::write(file, bytes).expect("the recording can be written");
        }
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at_s(state: &State) -> f64 {
    number(&state["replay"]["at_s"])
}

/// Moves the slider, as a finger does, and waits for the picture.
async fn seek(page: &Page, to_s: f64) -> State {
    const SCRIPT: &str = "const slider = document.querySelector('#replay-at');
        slider.value = arguments[0];
        slider.dispatchEvent(new Event('input', { bubbles: true }));";
    page.script(SCRIPT, vec![json!(to_s)]).await;
    page.wait_for("the moment", |state| state["replay"]["seeking"] == false && (at_s(state) - to_s).abs() < 0.2).await
}

async fn keep_picture(page: &Page, name: &str) {
    let picture = page.picture().await;
    std::fs::write(setup::artifacts().join(name), &picture).expect("the folder of artifacts can be written");
    assert!(picture.len() > 20_000, "{name} shows next to nothing: {} bytes", picture.len());
}

#[tokio::test]
async fn a_recorded_match_plays_stands_still_and_is_at_the_same_moment_after_a_reload() {
    let recording = recorded_match(rules_hash::<Arena>(), LENGTH_S);
    let folder = Folder::with(&[(ID, &recording)]);
    let server = Server::start_with_flags(&["--data", folder.0.to_str().expect("a plain path")]).await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url(&format!("/replay/{ID}?effects=simple"))).await;
    let playing = |state: &State| state["phase"] == "replay" && at_s(state) > 1.0;
    let state = page.wait_for("the match", playing).await;
    assert_eq!((&state["sockets"], &state["replay"]["length_s"]), (&json!(0), &json!(LENGTH_S)));
    assert!(NAMES.iter().any(|name| state["replay"]["followed"] == *name), "{state:?}");
    page.wait_for("ships", |state| number(&state["replay"]["entities"]) >= NAMES.len() as f64).await;
    assert_eq!(page.count("#replay-follow option").await, NAMES.len() + 1);

    // The button to play has the keyboard.
    page.keys(" ").await;
    page.wait_for("a pause", |state| state["replay"]["paused"] == true).await;
    page.wait_for_text("#replay-note", "Paused at").await;
    let there = seek(&page, 185.0).await;
    eprintln!("a seek over three minutes takes {} ms in the page", there["replay"]["seek_ms"]);
    page.wait_for_text("#replay-time", "3:05 / 3:20").await;

    // The same world as natively, and as after a reload.
    let mut here = Playback::<Arena>::new(Arc::from(recording), rules_hash::<Arena>()).expect("a recording");
    here.seek(185.0);
    while here.is_behind() {
        here.step();
    }
    let (tick, hash) = here.world();
    let same = |state: &State| {
        state["replay"]["tick"] == tick.0 && state["replay"]["hash"] == format!("{hash:016x}") && at_s(state) == 185.0
    };
    assert!(same(&there), "{there:?} is not tick {tick} with {hash:016x}");
    wait_for_address(&page, "t=185.0").await;
    page.reload().await;
    let back = page.wait_for("the same moment", |state| state["replay"]["seeking"] == false && same(state)).await;
    assert_eq!(back["replay"]["paused"], true);
    page.wait_for("a picture", |state| number(&state["images"]) > 3.0).await;
    keep_picture(&page, "replay.png").await;

    // Another player, and then nobody.
    page.choose("#replay-follow", "4").await;
    page.wait_for("another player", |state| state["replay"]["followed"] == NAMES[4]).await;
    page.press("#replay-play").await;
    page.hold_key('d').await;
    page.wait_for("a free camera", |state| state["replay"]["followed"] == Value::Null).await;
    page.release_keys().await;

    // To the end, and again.
    page.choose("#replay-speed", "5").await;
    page.wait_for("speed", |state| state["replay"]["speed"] == 8.0).await;
    let ended = page.wait_for("the end", |state| state["replay"]["ended"] == true).await;
    assert_eq!((&ended["replay"]["diverged"], at_s(&ended)), (&json!(false), f64::from(LENGTH_S)));
    page.press("#replay-play").await;
    page.wait_for("the start", |state| at_s(state) < 60.0 && state["replay"]["ended"] == false).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
    assert_eq!(page.console().await, Vec::<String>::new());

    page.choose("#replay-speed", "2").await;
    page.press("#replay-play").await;
    page.wait_for("a pause", |state| state["replay"]["paused"] == true).await;
    page.resize(PHONE).await;
    seek(&page, 100.0).await;
    keep_picture(&page, "replay-phone.png").await;
    page.press("#replay-leave").await;
    page.wait_for("the title, connected", |state| state["phase"] == "menu" && state["connected"] == true).await;
    assert_eq!(page.address().await, server.url("/?effects=simple"));
}

#[tokio::test]
async fn a_recorded_match_of_puck_is_watched_from_the_command_line() {
    let names = ["Ann", "Ben"];
    let recording = recorded::<Puck>((rules_hash::<Puck>(), ModeId(0)), (&names, 30), |_, tick, player| {
        let way = if player == PlayerId(0) { Vec2::X } else { Vec2::Y };
        PuckInput::new(if tick.0 / 60 % 2 == 0 { way } else { -way }, false)
    });
    let folder = Folder::with(&[("of-puck", &recording)]);
    let server = Server::start_replay_of_puck(&folder.0.join("recordings/of-puck.bsr")).await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &format!("{}?t=12.5&effects=simple", server.shown())).await;
    let still = |state: &State| state["phase"] == "replay" && state["replay"]["paused"] == true && at_s(state) == 12.5;
    page.wait_for("the moment of the link", |state| still(state) && state["replay"]["seeking"] == false).await;
    page.choose("#replay-follow", "1").await;
    page.wait_for("Ben", |state| state["replay"]["followed"] == "Ben" && state["replay"]["entities"] == 3).await;
    page.wait_for("a picture", |state| number(&state["images"]) > 20.0).await;
    keep_picture(&page, "replay-puck.png").await;
    page.press("#replay-play").await;
    page.wait_for("it plays", |state| at_s(state) > 13.0).await;
    assert_eq!((page.errors().await, page.console().await), (Vec::<String>::new(), Vec::<String>::new()));
}

async fn wait_for_address(page: &Page, part: &str) {
    let started_at = std::time::Instant::now();
    while !page.address().await.contains(part) {
        assert!(started_at.elapsed() < crate::DEADLINE, "{part} is not in {}", page.address().await);
        tokio::time::sleep(crate::GLANCE).await;
    }
}

#[tokio::test]
async fn the_last_minute_is_watched_from_the_menu_while_the_game_goes_on() {
    let data = Data::empty();
    let server = Server::start_with_flags(&["--data", data.path().to_str().expect("a plain path")]).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    let playing = page.wait_for("a ship to steer", State::is_playing).await;
    let seen = number(&playing["snapshots"]);
    page.wait_for("two seconds of play", |state| number(&state["snapshots"]) > seen + 60.0).await;
    page.script("window.open = (address) => { window.opened = address; };", Vec::new()).await;
    page.keys("\u{e00c}").await;
    page.click("#pause [data-act='last-minute']").await;
    let address = page.script("return window.opened;", Vec::new()).await;
    let address = address.as_str().expect("an address").to_owned();
    assert!(page.state().await.is_playing());
    page.visit(&format!("{address}&effects=simple")).await;
    let state = page.wait_for("the last minute", |state| state["phase"] == "replay" && at_s(state) > 1.0).await;
    assert_eq!(state["replay"]["followed"], "Ann");
    assert!(number(&state["replay"]["length_s"]) < 61.0, "{state:?}");
    wait_for_address(&page, "/replay/0").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recording_of_other_rules_and_one_that_is_gone_are_explained() {
    let recording = recorded_match(rules_hash::<Arena>() ^ 1, 2);
    let folder = Folder::with(&[(OF_OTHER_RULES, &recording)]);
    let server = Server::start_with_flags(&["--data", folder.0.to_str().expect("a plain path")]).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url(&format!("/replay/{OF_OTHER_RULES}?effects=low"))).await;
    page.wait_for_text("#notice-text", "another version of the game").await;
    page.visit(&server.url(&format!("/replay/{ID}?effects=low"))).await;
    page.wait_for_text("#notice-text", "There is no recording").await;
    page.press("#notice-back").await;
    page.wait_for("the title", |state| state["phase"] == "menu" && state["connected"] == true).await;
    page.visit(&server.url("/replay/nonsense?effects=low")).await;
    page.wait_for_text("#card-note", "no link of a recorded match").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}
