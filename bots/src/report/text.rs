//! The report for a terminal.

use std::fmt::{Display, Formatter, Result};

use super::{Report, Times};

impl Display for Times {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "p50 {:.1}  p95 {:.1}  p99 {:.1}  max {:.1} ms", self.p50, self.p95, self.p99, self.max)
    }
}

/// A value the server may not tell.
fn or_dash(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.players(f)?;
        self.feel(f)?;
        self.bytes(f)?;
        self.server(f)?;
        self.own(f)?;
        for claim in &self.assertions {
            write!(
                f,
                "\nassert           {}  {} (was {})",
                if claim.held { "held  " } else { "BROKEN" },
                claim.claim,
                claim.value
            )?;
        }
        if let Some(knee) = &self.knee {
            write!(f, "\n\n{knee}")?;
        }
        Ok(())
    }
}

impl Report {
    fn players(&self, f: &mut Formatter<'_>) -> Result {
        let r = self;
        write!(f, "players          {} of {} joined, {} dropped", r.joined, r.players, r.dropped)?;
        if r.refused + r.in_line > 0 {
            write!(f, ", {} refused, {} still in line", r.refused, r.in_line)?;
        }
        if r.rejoined > 0 {
            write!(f, ", {} left and came back", r.rejoined)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "                 {} full clients flown by the brain (every {}th), {} that decode all and fly a pattern",
            r.brains,
            r.full_every,
            r.joined.saturating_sub(r.brains)
        )?;
        let rooms = if r.rooms == 1 { "the room the server chose".to_owned() } else { format!("{} rooms", r.rooms) };
        writeln!(f, "                 {rooms}, line {}, {:.1} s measured", r.link, r.seconds)
    }

    fn feel(&self, f: &mut Formatter<'_>) -> Result {
        let r = self;
        writeln!(f, "snapshot age     {}", r.snapshot_age_ms)?;
        writeln!(f, "snapshot gap     {}", r.snapshot_gap_ms)?;
        writeln!(
            f,
            "snapshot rate    median {:.1} Hz, worst player {:.1} Hz; share received {:.1} %, worst player {:.1} %",
            r.snapshot_rate_hz.p50,
            r.snapshot_rate_hz.min,
            r.share_received.all * 100.0,
            r.share_received.min * 100.0
        )?;
        writeln!(f, "input to effect  {}", r.input_to_effect_ms)?;
        writeln!(f, "time to join     {}", r.join_ms)?;
        let (error, causes) = (r.prediction_error, r.corrections_by_cause);
        writeln!(f, "prediction error p50 {:.2}  p99 {:.2}  max {:.1} units", error.p50, error.p99, error.max)?;
        writeln!(
            f,
            "corrections      {:.1} per full client and minute: input {:.1}, collision {:.1}, hit {:.1}, pickup {:.1}, \
             respawn {:.1}, unknown {:.1}",
            r.corrections_per_min,
            causes.input,
            causes.collision,
            causes.hit,
            causes.pickup,
            causes.respawn,
            causes.unknown
        )?;
        let w = &r.worst;
        writeln!(
            f,
            "worst player     {:?} on {}: age p99 {:.0} ms, longest gap {:.0} ms, {:.1} % of its snapshots",
            w.player,
            w.link,
            w.age_ms_p99,
            w.gap_ms_max,
            w.share * 100.0
        )
    }

    fn bytes(&self, f: &mut Formatter<'_>) -> Result {
        let (kbit, by) = (self.kbit_per_s, self.bytes_by_class);
        writeln!(
            f,
            "down per player  {:.1} kbit/s payload, {:.1} with headers, {:.1} most; up {:.1} kbit/s",
            kbit.payload_down, kbit.down, kbit.down_max, kbit.up
        )?;
        writeln!(
            f,
            "                 B/s: own {:.0}, cells near {:.0}, far {:.0}, events {:.0}, notes {:.0}, control {:.0}, headers {:.0}",
            by.own, by.cells_near, by.cells_far, by.events, by.notes, by.control, by.headers
        )?;
        writeln!(
            f,
            "replication      {:.1} bits per record and snapshot; {:.1} records in view, {:.1} subscribed",
            self.bits_per_record.mean, self.in_view.mean, self.subscribed.mean
        )
    }

    fn server(&self, f: &mut Formatter<'_>) -> Result {
        let s = &self.server;
        if let Some(why) = &s.unavailable {
            return writeln!(f, "server           no figures: {why}");
        }
        writeln!(
            f,
            "server           {} cores, {} us per client and snapshot, {} MiB ({} KiB per player)",
            or_dash(s.cpu_cores, 2),
            or_dash(s.cpu_us_per_client_snapshot, 2),
            or_dash(s.rss_mb, 0),
            or_dash(s.kb_per_player, 1)
        )?;
        writeln!(
            f,
            "                 tick p50 {} ms, p99 {} ms, late p99 {} ms; {} missed, {} overruns",
            or_dash(s.tick_ms.p50, 2),
            or_dash(s.tick_ms.p99, 2),
            or_dash(s.lateness_ms.p99, 2),
            or_dash(s.missed_ticks, 0),
            or_dash(s.overruns, 0)
        )?;
        writeln!(
            f,
            "                 {} skips, {} budget steps, governor at {} after {} steps",
            or_dash(s.skips, 0),
            or_dash(s.budget_steps, 0),
            or_dash(s.governor_level, 0),
            or_dash(s.governor_steps, 0)
        )
    }

    fn own(&self, f: &mut Formatter<'_>) -> Result {
        let load = &self.load;
        write!(
            f,
            "load tester      {} cores on {} threads, {} us per client and snapshot, late p99 {:.1} ms, {} socket errors",
            or_dash(load.cpu_cores, 2),
            load.threads,
            or_dash(load.cpu_us_per_client_snapshot, 2),
            load.lateness_ms.p99,
            load.socket_errors
        )?;
        if load.overloaded {
            write!(f, "\nWARNING          the load tester itself was late: figures are its own, not the server's")?;
        }
        Ok(())
    }
}
