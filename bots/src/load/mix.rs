//! Which link profiles the players use: one for all, or a mix such as `wifi:70,4g:25,3g:5`.

use std::str::FromStr;

use broadside_shared::link::LinkProfile;

/// Link profiles and their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkMix(Vec<(LinkProfile, f64)>);

impl LinkMix {
    /// The profile of a player. Consecutive players are spread over the profiles as evenly as possible.
    #[must_use]
    pub(crate) fn pick(&self, player: usize) -> LinkProfile {
        /// Fractional part of the golden ratio: its multiples fill the unit interval evenly for any number of players.
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let total: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut at = (player as f64 * GOLDEN).fract() * total;
        for (profile, weight) in &self.0 {
            if at < *weight {
                return *profile;
            }
            at -= weight;
        }
        self.0.last().map_or(LinkProfile::CLEAN, |(profile, _)| *profile)
    }
}

impl FromStr for LinkMix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut profiles: Vec<(LinkProfile, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = match part.split_once(':') {
                Some((name, weight)) => (name.trim(), Some(weight.trim())),
                None => (part.trim(), None),
            };
            let profile = LinkProfile::named(name).ok_or_else(|| {
                format!("no link profile is called {name:?}: must be one of {}", LinkProfile::names())
            })?;
            let weight = match weight {
                None if text.contains(',') => {
                    return Err(format!("{name} has no weight: a mix looks like wifi:70,4g:25,3g:5"));
                }
                None => 1.0,
                Some(weight) => weight
                    .parse()
                    .ok()
                    .filter(|weight| (0.001..=1e6).contains(weight))
                    .ok_or_else(|| format!("weight {weight:?} of {name} must be 0.001 to 1000000"))?,
            };
            if profiles.iter().any(|(known, _)| known.name == profile.name) {
                return Err(format!("{name} is given twice: name each link profile once"));
            }
            profiles.push((profile, weight));
        }
        Ok(LinkMix(profiles))
    }
}

impl std::fmt::Display for LinkMix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [(profile, _)] = self.0.as_slice() {
            return f.write_str(profile.name);
        }
        for (at, (profile, weight)) in self.0.iter().enumerate() {
            write!(f, "{}{}:{weight}", if at == 0 { "" } else { "," }, profile.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_gives_each_profile_its_share_of_the_players() {
        let mix: LinkMix = "wifi:70,4g:25,3g:5".parse().expect("a mix");
        let count = |name| (0..1000).filter(|player| mix.pick(*player).name == name).count();
        for (name, share) in [("wifi", 700), ("4g", 250), ("3g", 50)] {
            assert!(count(name).abs_diff(share) <= 5, "{name}: {}", count(name));
        }
        assert_eq!(mix.to_string(), "wifi:70,4g:25,3g:5");
        assert_eq!("clean".parse(), Ok(LinkMix(vec![(LinkProfile::CLEAN, 1.0)])));
    }

    #[test]
    fn a_wrong_mix_is_refused_with_what_is_wrong() {
        for (bad, says) in [
            ("wifi:70,5g:30", "\"5g\": must be one of clean"),
            ("wifi,4g", "wifi has no weight"),
            ("wifi:0,4g:1", "\"0\" of wifi must be 0.001"),
            ("wifi:NaN,4g:1", "\"NaN\" of wifi"),
            ("wifi:1,wifi:2", "twice"),
            ("", "\"\": must be one of"),
        ] {
            let refusal = bad.parse::<LinkMix>().expect_err(bad);
            assert!(refusal.contains(says), "{bad}: {refusal}");
        }
    }
}
