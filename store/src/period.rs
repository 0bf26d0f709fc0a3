//! Days, weeks and seasons, in UTC.

use time::{Month, OffsetDateTime};

/// What divides the years into seasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Season {
    /// A season is a month, such as `2026-11`.
    Month,
    /// A season is three months, such as `2026-q4`.
    #[default]
    Quarter,
    /// A season is a year, such as `2026`.
    Year,
}

/// A stretch of time over which results are summed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Period {
    /// All time.
    All,
    /// A day, such as `2026-11-27`.
    Day(String),
    /// A week of ISO 8601, such as `2026-w48`.
    Week(String),
    /// A season, such as `2026-q4`.
    Season(String),
}

impl Season {
    /// The rule with this name: `month`, `quarter` or `year`.
    #[must_use]
    pub fn named(name: &str) -> Option<Season> {
        [Season::Month, Season::Quarter, Season::Year].into_iter().find(|season| season.name() == name)
    }

    /// What flags and JSON call the rule.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Season::Month => "month",
            Season::Quarter => "quarter",
            Season::Year => "year",
        }
    }

    /// The season of a moment, in microseconds since 1970.
    #[must_use]
    pub fn at(self, at_us: i64) -> Period {
        let at = moment(at_us);
        let (year, month) = (at.year(), u8::from(at.month()));
        Period::Season(match self {
            Season::Month => format!("{year:04}-{month:02}"),
            Season::Quarter => format!("{year:04}-q{}", (month - 1) / 3 + 1),
            Season::Year => format!("{year:04}"),
        })
    }

    /// When the season of a moment ends, in microseconds since 1970.
    ///
    /// # Panics
    /// Never: the first of a month is a date, and years beyond 9999 are cut off.
    #[must_use]
    pub fn ends_us(self, at_us: i64) -> i64 {
        let at = moment(at_us);
        let month = u8::from(at.month());
        let last = match self {
            Season::Month => month,
            Season::Quarter => (month - 1) / 3 * 3 + 3,
            Season::Year => 12,
        };
        let (year, month) = if last == 12 { (at.year() + 1, 1) } else { (at.year(), last + 1) };
        let month = Month::try_from(month).expect("1 to 12");
        let first = time::Date::from_calendar_date(year.min(9999), month, 1).expect("the first of a month");
        first.midnight().assume_utc().unix_timestamp() * 1_000_000
    }
}

impl Period {
    /// The day of a moment, in microseconds since 1970.
    #[must_use]
    pub fn day(at_us: i64) -> Period {
        let date = moment(at_us).date();
        Period::Day(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
    }

    /// The week of a moment, in microseconds since 1970.
    #[must_use]
    pub fn week(at_us: i64) -> Period {
        let (year, week, _) = moment(at_us).date().to_iso_week_date();
        Period::Week(format!("{year:04}-w{week:02}"))
    }

    /// The key of its totals.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Period::All => "all".to_owned(),
            Period::Day(day) => format!("day:{day}"),
            Period::Week(week) => format!("week:{week}"),
            Period::Season(season) => format!("season:{season}"),
        }
    }
}

/// The moment; one that is before 0001 or after 9999 is 1970.
fn moment(at_us: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at_us.div_euclid(1_000_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        let [year, month, day] = [0, 5, 8].map(|from| text[from..].split('-').next().expect("a part"));
        let month = Month::try_from(month.parse::<u8>().expect("a month")).expect("1 to 12");
        let (year, day) = (year.parse().expect("a year"), day.parse().expect("a day"));
        let date = time::Date::from_calendar_date(year, month, day).expect("a date");
        date.midnight().assume_utc().unix_timestamp() * 1_000_000
    }

    #[test]
    fn periods_end_where_the_calendar_says() {
        for (day, week, seasons, ends) in [
            ("2026-11-27", "2026-w48", ["2026-11", "2026-q4", "2026"], ["2026-12-01", "2027-01-01", "2027-01-01"]),
            // The first days of a year may belong to a week of the year before, and its last ones to one of the next.
            ("2027-01-03", "2026-w53", ["2027-01", "2027-q1", "2027"], ["2027-02-01", "2027-04-01", "2028-01-01"]),
            ("2024-12-30", "2025-w01", ["2024-12", "2024-q4", "2024"], ["2025-01-01", "2025-01-01", "2025-01-01"]),
            ("2024-02-29", "2024-w09", ["2024-02", "2024-q1", "2024"], ["2024-03-01", "2024-04-01", "2025-01-01"]),
        ] {
            for moment in [at(day), at(day) + 86_399_999_999] {
                assert_eq!(Period::day(moment), Period::Day(day.to_owned()));
                assert_eq!(Period::week(moment), Period::Week(week.to_owned()));
                for ((rule, name), ends) in
                    [Season::Month, Season::Quarter, Season::Year].into_iter().zip(seasons).zip(ends)
                {
                    assert_eq!(rule.at(moment), Period::Season(name.to_owned()));
                    assert_eq!(rule.ends_us(moment), at(ends), "{day} by {}", rule.name());
                }
            }
        }
    }
}
