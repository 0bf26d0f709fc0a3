//! Headless players with a game's AI: `bot ws://127.0.0.1:8080/ws --count 8 --seconds 30 --skill 0.7`.

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use broadside_shared::client::nodes::Nodes;
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::game::{Bot as _, Game, ModeSpec};
use broadside_shared::link::{LinkProfile, Stalls};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;
use clap::Parser;
use hdrhistogram::Histogram;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::gateway::{Gateway, Route};
use crate::load::statistics::times;
use crate::output::{StdoutState, print_error, print_line};
use crate::player::{Player, Progress};
use crate::socket::{PlayError, Target};
use crate::tls_verification::TlsVerification;
use crate::{in_range, link_profile, tick_time};

/// Bots that play: they see what a client sees and act through inputs, like a player.
#[derive(Debug, Clone, Parser)]
#[command(name = "bot", version, about, max_term_width = 100)]
struct Args {
    /// Address of the server; of a cluster also those of other nodes, to which the bots go if the first one dies
    #[arg(value_name = "URL", default_value = "ws://127.0.0.1:8080/ws", value_delimiter = ',', value_parser = Target::parse)]
    targets: Vec<Target>,

    #[command(flatten)]
    tls_verification: TlsVerification,

    /// Bots, 1 to 1000
    #[arg(long, default_value_t = 1, value_name = "BOTS", value_parser = |text: &str| in_range::<usize>(text, 1..=1000, " bots"))]
    count: usize,

    /// Name of the mode to play; a wrong name lists all names [default: the server chooses the room]
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,

    /// Seconds to play, 1 to 86400 [default: until interrupted]
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=86_400, " seconds"))]
    seconds: Option<u64>,

    /// Skill, 0 (harmless) to 1 (deadly)
    #[arg(long, default_value_t = 0.6, value_name = "SKILL", value_parser = |text: &str| in_range::<f32>(text, 0.0..=1.0, ""))]
    skill: f32,

    /// Seconds for which a bot that lost its connection tries to come back, 0 to 3600
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 0..=3600, " seconds"))]
    retry: u64,

    /// Link to simulate: clean, cable, wifi, 4g, lte, far, 3g, jittery, very-bad, tab-freeze or stall
    #[arg(long, default_value = "clean", value_name = "PROFILE", value_parser = link_profile)]
    link: LinkProfile,

    /// Seed of the bots' AIs, 0 to 18446744073709551615
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = |text: &str| in_range::<u64>(text, 0..=u64::MAX, ""))]
    seed: u64,
}

/// The room that `--mode` asks for.
fn room<G: Game>(mode: Option<&str>) -> Result<RoomChoice, String> {
    let Some(name) = mode else { return Ok(RoomChoice::Quick) };
    let names = || G::MODES.iter().map(|mode| mode.name).collect::<Vec<_>>().join(", ");
    let mode = ModeSpec::named(G::MODES, name);
    mode.map(RoomChoice::Mode).ok_or_else(|| format!("--mode {name}: must be one of {}", names()))
}

/// Time a bot has to get a seat.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Sums over all bots.
struct Totals {
    began: Instant,
    playing: AtomicUsize,
    /// Bots that have been seated.
    played: AtomicUsize,
    snapshots: AtomicU64,
    /// The best score of a bot; `i32::MIN` while no bot has one.
    best_score: AtomicI32,
    rtt_us: AtomicU64,
    gaps_us: Mutex<Option<Histogram<u32>>>,
    /// Connections that were lost and opened again.
    reconnected: AtomicU64,
    /// The longest time from the last snapshot of a lost connection to the first one of the next.
    stall_us: AtomicU64,
    /// Arrival of the newest snapshot of each bot, in microseconds since `began`; 0 if it is not playing.
    newest_us: Vec<AtomicU64>,
}

impl Totals {
    fn new(bots: usize) -> Totals {
        Totals {
            began: Instant::now(),
            playing: AtomicUsize::new(0),
            played: AtomicUsize::new(0),
            snapshots: AtomicU64::new(0),
            best_score: AtomicI32::new(i32::MIN),
            rtt_us: AtomicU64::new(0),
            gaps_us: Mutex::new(None),
            reconnected: AtomicU64::new(0),
            stall_us: AtomicU64::new(0),
            newest_us: (0..bots).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// The end of a line of output; empty for a game without scores.
    fn best_score(&self) -> String {
        match self.best_score.load(Ordering::Relaxed) {
            i32::MIN => String::new(),
            score => format!(", best score {score}"),
        }
    }

    /// The end of the last line; empty if no connection was lost.
    fn stalls(&self) -> String {
        match self.reconnected.load(Ordering::Relaxed) {
            0 => String::new(),
            count => {
                let stall_ms = self.stall_us.load(Ordering::Relaxed) as f64 / 1000.0;
                format!(", {count} connections lost and resumed, longest stall {stall_ms:.0} ms")
            }
        }
    }

    fn count_gap(&self, gap_us: u64) {
        let mut gaps = self.gaps_us.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.get_or_insert_with(times).saturating_record(gap_us);
    }

    /// Takes the gaps since the last call and adds them to `all`.
    fn take_gaps(&self, all: &mut Histogram<u32>) -> Histogram<u32> {
        let gaps = self.gaps_us.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(times);
        // Both were made by `times`, so their bounds are equal.
        let _ = all.add(&gaps);
        gaps
    }

    /// Adds the open gaps that are longer than every finished one, so that a server that has fallen silent is visible.
    fn add_open_gaps(&self, gaps: &mut Histogram<u32>) {
        let (now_us, longest_us) = (self.now_us(), gaps.max());
        let newest = self.newest_us.iter().map(|newest| newest.load(Ordering::Relaxed)).filter(|newest| *newest > 0);
        for open_us in newest.map(|newest| now_us.saturating_sub(newest)).filter(|open| *open > longest_us) {
            gaps.saturating_record(open_us);
        }
    }
}

/// Runs bots of a game until their time is up or a signal ends them; the whole of a game's program `bot`. Flags come from the command
/// line.
#[must_use]
pub fn bot<G: Game>() -> ExitCode {
    let (mut args, _) = broadside_cli::parse::<Args>();
    let room = room::<G>(args.mode.as_deref()).unwrap_or_else(|why| broadside_cli::refuse(&why));
    let verified = args.targets.iter().map(|target| target.clone().with_tls_verification(&args.tls_verification));
    match verified.collect() {
        Ok(targets) => args.targets = targets,
        Err(error) => {
            print_error("bot", error);
            return ExitCode::FAILURE;
        }
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error("bot", format_args!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run::<G>(args, room)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error("bot", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The time of `--seconds` is up.
    TimeUp,
    /// A signal interrupted the program.
    Interrupted,
    /// Standard output was closed.
    StdoutClosed,
}

async fn run<G: Game>(args: Args, room: RoomChoice) -> anyhow::Result<()> {
    let home = args.targets.first().cloned().context("without an address there is no server")?;
    let gateway = Arc::new(Gateway::new(home, args.link, args.seed));
    let totals = Arc::new(Totals::new(args.count));
    let (stop, stopped) = watch::channel(false);
    let mut bots = JoinSet::new();
    for index in 0..args.count {
        let gateway = Arc::clone(&gateway);
        bots.spawn(play::<G>(args.clone(), gateway, room, index, Arc::clone(&totals), stopped.clone()));
    }
    let mut gaps_all = times();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let end = ending(args.seconds);
    tokio::pin!(end);
    let mut before = 0;
    let result = loop {
        tokio::select! {
            _ = second.tick() => match print_second(&args, &totals, &mut before, &mut gaps_all) {
                Ok(StdoutState::Open) => {}
                Ok(StdoutState::Closed) => break Ok(End::StdoutClosed),
                Err(error) => break Err(error),
            },
            why = &mut end => break Ok(why),
            Some(done) = bots.join_next() => match done {
                Ok(Err(error)) => break Err(error.into()),
                Ok(Ok(())) => {}
                Err(panic) => break Err(PlayError::Lost(panic.to_string()).into()),
            },
        }
    };
    let (played_s, played) = (totals.began.elapsed().as_secs_f64(), totals.played.load(Ordering::Relaxed));
    let _ = stop.send(true);
    while bots.join_next().await.is_some() {}
    totals.take_gaps(&mut gaps_all);
    let printed = if totals.snapshots.load(Ordering::Relaxed) > 0 {
        print_summary(&args, &totals, played_s, &gaps_all)
    } else {
        // Without a snapshot there is nothing to summarize.
        Ok(StdoutState::Open)
    };
    judge(&args, played, played_s, result?)?;
    printed.map(drop)
}

/// Whether the bots played as requested.
fn judge(args: &Args, played: usize, played_s: f64, end: End) -> anyhow::Result<()> {
    match (end, args.seconds) {
        (End::Interrupted, Some(seconds)) => bail!("interrupted after {played_s:.1} of {seconds} s"),
        (End::TimeUp, _) if played < args.count => {
            bail!("{} of {} bots never got a seat", args.count - played, args.count)
        }
        // Without --seconds they play until interrupted.
        (End::Interrupted, None) | (End::TimeUp | End::StdoutClosed, _) => Ok(()),
    }
}

fn print_summary(args: &Args, totals: &Totals, played_s: f64, gaps: &Histogram<u32>) -> anyhow::Result<StdoutState> {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let ms = |quantile: f64| gaps.value_at_quantile(quantile) as f64 / 1000.0;
    print_line(format_args!(
        "played {:.0} s with {} bots: {} snapshots, gap p50 {:.1} ms p99 {:.1} ms max {:.1} ms, rtt {:.1} ms{}{}",
        played_s,
        args.count,
        count(&totals.snapshots),
        ms(0.5),
        ms(0.99),
        ms(1.0),
        count(&totals.rtt_us) as f64 / 1000.0,
        totals.best_score(),
        totals.stalls(),
    ))
}

/// Resolves when the time is up or a signal arrives.
async fn ending(seconds: Option<u64>) -> End {
    let time_up = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = time_up => End::TimeUp,
        _ = tokio::signal::ctrl_c() => End::Interrupted,
        () = terminated => End::Interrupted,
    }
}

fn print_second(
    args: &Args,
    totals: &Totals,
    before: &mut u64,
    all: &mut Histogram<u32>,
) -> anyhow::Result<StdoutState> {
    let mut gaps = totals.take_gaps(all);
    totals.add_open_gaps(&mut gaps);
    let snapshots = totals.snapshots.load(Ordering::Relaxed);
    let new = snapshots - std::mem::replace(before, snapshots);
    print_line(format_args!(
        "{:>4.0} s  {}/{} playing  {:>5} snapshots  gap p50 {:>5.1} ms p99 {:>5.1} ms  rtt {:>5.1} ms{}",
        totals.began.elapsed().as_secs_f64(),
        totals.playing.load(Ordering::Relaxed),
        args.count,
        new,
        gaps.value_at_quantile(0.5) as f64 / 1000.0,
        gaps.value_at_quantile(0.99) as f64 / 1000.0,
        totals.rtt_us.load(Ordering::Relaxed) as f64 / 1000.0,
        totals.best_score(),
    ))
}

/// The name of the bot with this number, from 0. From the second round on, names get numbers.
fn name<G: Game>(index: usize) -> Name {
    let round = index / G::BOT_NAMES.len().max(1);
    let base = G::BOT_NAMES.get(index % G::BOT_NAMES.len().max(1)).copied().unwrap_or("bot");
    let name = if round == 0 { base.to_owned() } else { format!("{base} {}", round + 1) };
    Name::new(&name).or_else(|_| Name::new(&format!("bot {}", index + 1))).expect("short and visible")
}

/// The nodes as the bot with this number knows them at first.
fn nodes(targets: &[Target], seed: u64) -> Nodes {
    let urls: Vec<String> = targets.iter().map(Target::to_string).collect();
    let mut nodes = Nodes::new(urls.first().map_or("", String::as_str), seed);
    let others: Vec<String> =
        urls.iter().skip(1).map(|url| url.strip_suffix("/ws").unwrap_or(url).to_owned()).collect();
    nodes.handle_nodes(&others);
    nodes
}

async fn play<G: Game>(
    args: Args,
    gateway: Arc<Gateway>,
    room: RoomChoice,
    index: usize,
    totals: Arc<Totals>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), PlayError> {
    let agent = concat!("bot ", env!("CARGO_PKG_VERSION")).to_owned();
    let seed = args.seed.wrapping_add(index as u64);
    let bot = G::Bot::new(seed, args.skill);
    let config =
        ClientConfig { name: name::<G>(index), agent, room: Some(room), role: Role::Play, detail: Detail::Replica };
    let (nodes, retry) = (nodes(&args.targets, seed), Duration::from_secs(args.retry));
    let mut route = Route { gateway: &gateway, nodes, retry };
    let mut player = Player::<G>::connect(&gateway.target(route.nodes.url()).await?, config, bot).await?;
    route.nodes.handle_open();
    let seated = tokio::select! {
        seated = take_seat(&mut player, &mut route) => Some(seated),
        _ = stopped.wait_for(|stopped| *stopped) => None,
    };
    let Some(seated) = seated else {
        player.leave().await;
        return Ok(());
    };
    seated?;
    totals.playing.fetch_add(1, Ordering::Relaxed);
    totals.played.fetch_add(1, Ordering::Relaxed);
    let newest = &totals.newest_us[index];
    newest.store(totals.now_us(), Ordering::Relaxed);
    let mut freezes = args.link.freezes(seed);
    let result = loop {
        let lost = tokio::select! {
            lost = keep_playing(&mut player, (&totals, newest), &mut freezes) => lost,
            _ = stopped.wait_for(|stopped| *stopped) => break Ok(()),
        };
        tokio::select! {
            resumed = route.resume(&mut player, lost) => if let Err(why) = resumed { break Err(why) },
            _ = stopped.wait_for(|stopped| *stopped) => break Ok(()),
        }
        totals.reconnected.fetch_add(1, Ordering::Relaxed);
        let stall_us = totals.now_us().saturating_sub(newest.load(Ordering::Relaxed));
        totals.stall_us.fetch_max(stall_us, Ordering::Relaxed);
    };
    totals.playing.fetch_sub(1, Ordering::Relaxed);
    // The gap still open at the end counts if it exceeds the nominal one.
    let open_us = totals.now_us().saturating_sub(newest.swap(0, Ordering::Relaxed));
    let nominal_us =
        player.client().rates().map_or(0, |(hz, every)| 1_000_000 * u64::from(every) / u64::from(hz.max(1)));
    if open_us > nominal_us {
        totals.count_gap(open_us);
    }
    if result.is_ok() {
        player.leave().await;
    }
    result
}

/// Plays until there is a seat.
///
/// # Errors
/// Why there is none.
async fn take_seat<G: Game>(player: &mut Player<G>, route: &mut Route<'_>) -> Result<(), PlayError> {
    let join_by = Instant::now() + JOIN_TIMEOUT;
    while !player.joined() {
        if let Err(lost) = seek_seat(player).await {
            if lost.code() != Some(CloseCode::Restarting) {
                return Err(lost);
            }
            // The seat may be at another node.
            route.resume(player, lost).await?;
        }
        if Instant::now() > join_by {
            return Err(PlayError::Lost(format!("no seat within {} s", JOIN_TIMEOUT.as_secs())));
        }
    }
    route.nodes.handle_seated();
    Ok(())
}

async fn seek_seat<G: Game>(player: &mut Player<G>) -> Result<(), PlayError> {
    player.step(Instant::now() + tick_time::<G>()).await?;
    player.act().await
}

/// Plays from the seat to the end of the connection, and says why it ended.
async fn keep_playing<G: Game>(
    player: &mut Player<G>,
    counts: (&Totals, &AtomicU64),
    freezes: &mut Option<Stalls>,
) -> PlayError {
    match play_on(player, counts, freezes).await {
        Ok(never) => match never {},
        Err(why) => why,
    }
}

async fn play_on<G: Game>(
    player: &mut Player<G>,
    (totals, newest): (&Totals, &AtomicU64),
    freezes: &mut Option<Stalls>,
) -> Result<Infallible, PlayError> {
    let (began, mut act_at) = (Instant::now(), Instant::now());
    loop {
        if let Some(until) =
            freezes.as_mut().and_then(|f| f.stalled_until(MonoTime(began.elapsed().as_micros() as u64)))
        {
            player.stand_still(began + Duration::from_micros(until.0)).await;
        }
        if let Progress::Snapshot(arrival) = player.step(act_at).await? {
            totals.snapshots.fetch_add(1, Ordering::Relaxed);
            newest.store(totals.now_us(), Ordering::Relaxed);
            if let Some(gap_us) = arrival.gap_us {
                totals.count_gap(gap_us);
            }
            totals.rtt_us.store((player.client().stats().rtt_ms * 1000.0) as u64, Ordering::Relaxed);
        }
        if Instant::now() >= act_at {
            player.act().await?;
            act_at = (act_at + tick_time::<G>()).max(Instant::now());
            let client = player.client();
            if let Some(own) = client.board().iter().find(|standing| Some(standing.player) == client.player()) {
                totals.best_score.fetch_max(own.score, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use broadside_shared::toy::{DUEL, Toy};

    use super::*;

    #[test]
    fn an_empty_command_line_is_fine_and_a_wrong_value_is_refused_with_its_range() {
        Args::try_parse_from(["x"]).expect("every flag has a default");
        let refusal = Args::try_parse_from(["x", "--skill", "7"]).expect_err("out of range").to_string();
        assert!(refusal.contains("--skill") && refusal.contains('7') && refusal.contains("0 to 1"), "{refusal}");
    }

    #[test]
    fn the_first_address_is_home_and_the_others_are_tried_when_it_is_dead() {
        let args = ["x", "ws://a.example/ws", "ws://b.example/ws,ws://c.example/game/ws", "--count", "3"];
        let mut nodes = nodes(&Args::try_parse_from(args).expect("three addresses").targets, 1);
        let mut tried = Vec::new();
        for _ in 0..4 {
            tried.push(nodes.url().to_owned());
            nodes.handle_end(None);
        }
        assert_eq!(
            tried,
            ["a", "a", "b", "c"].map(|host| match host {
                "c" => "ws://c.example/game/ws".to_owned(),
                host => format!("ws://{host}.example/ws"),
            })
        );
        assert_eq!(Args::try_parse_from(["x"]).expect("every flag has a default").targets.len(), 1);
    }

    #[test]
    fn modes_and_names_are_the_games() {
        assert_eq!(room::<Toy>(Some("duel")), Ok(RoomChoice::Mode(DUEL)));
        assert_eq!(room::<Toy>(Some("chess")), Err("--mode chess: must be one of open, duel".to_owned()));
        let names: Vec<String> = [0, 7, 8].map(|index| name::<Toy>(index).to_string()).into();
        assert_eq!(names, ["Ada", "Hana", "Ada 2"]);
    }
}
