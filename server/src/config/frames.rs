//! Which other sites may show pages of this server in a frame. By default none may.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

use crate::origin::Origin;

/// Where the game is for Discord's proxy.
const DISCORD_PATH: &str = "/discord";
/// The sites that show Activities: the three releases of Discord's client.
const DISCORD_CLIENTS: &str = "https://discord.com https://ptb.discord.com https://canary.discord.com";

/// The flags.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FrameFlags {
    /// Sites that may show the read-only view of a room, /embed/ROOM, in a frame, such as `https://blog.example`; separated by commas, or `any`
    #[arg(long, env = "BROADSIDE_EMBED_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub embed_origin: Vec<FrameOrigin>,

    /// Application ID of a Discord Activity, whose URL mapping leads to /discord of this server; Discord may show the game there in a frame
    #[arg(long, env = "BROADSIDE_DISCORD_APP", value_name = "ID")]
    pub discord_app: Option<u64>,
}

/// A site that may show a page in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameOrigin {
    /// Every site.
    Any,
    /// The pages of this origin.
    One(Origin),
}

/// The way of a request into the server, on which it depends who may frame a page. Every request carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    Front,
    /// Through the proxy of Discord.
    Discord,
}

impl FrameFlags {
    /// Strips the path that Discord's proxy asks for, if there is such a proxy.
    pub(crate) fn strip(&self, uri: &mut Uri) -> Entrance {
        let rest = uri.path_and_query().and_then(|path| path.as_str().strip_prefix(DISCORD_PATH));
        let inside = match rest.filter(|_| self.discord_app.is_some()) {
            Some(rest) if rest.starts_with('/') => rest.parse(),
            // The proxy shows the path as its own root, whether or not it has a slash.
            Some(rest) if rest.is_empty() || rest.starts_with('?') => format!("/{rest}").parse(),
            Some(_) | None => return Entrance::Front,
        };
        let Ok(inside) = inside else { return Entrance::Front };
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(inside);
        // The parts of a valid URI stay valid without the prefix.
        *uri = Uri::from_parts(parts).unwrap_or_default();
        Entrance::Discord
    }

    /// The origin of the pages that Discord's proxy serves.
    pub(crate) fn discord_origin(&self) -> Option<Origin> {
        self.discord_app.and_then(|app| format!("https://{app}.discordsays.com").parse().ok())
    }

    /// Who may frame a page, as the value of `frame-ancestors`.
    pub(crate) fn ancestors(&self, is_embed: bool, entrance: Entrance) -> String {
        match entrance {
            Entrance::Discord => DISCORD_CLIENTS.to_owned(),
            Entrance::Front if is_embed && !self.embed_origin.is_empty() => {
                let sites: Vec<String> = self.embed_origin.iter().map(ToString::to_string).collect();
                sites.join(" ")
            }
            Entrance::Front => "'none'".to_owned(),
        }
    }
}

impl FromStr for FrameOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<FrameOrigin, String> {
        if text == "any" {
            return Ok(FrameOrigin::Any);
        }
        let origin: Origin = text.parse().map_err(|why| format!("{why}, or `any`"))?;
        // The grammar of policies has no IPv6 addresses, and no page of another scheme has frames.
        if origin.host().starts_with('[') || !(text.starts_with("https://") || text.starts_with("http://")) {
            return Err("must have a host name and the scheme http or https, such as https://blog.example".to_owned());
        }
        Ok(FrameOrigin::One(origin))
    }
}

/// As `frame-ancestors` names it.
impl fmt::Display for FrameOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameOrigin::Any => f.write_str("*"),
            FrameOrigin::One(origin) => origin.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(sites: &[&str], discord_app: Option<u64>) -> FrameFlags {
        let embed_origin = sites.iter().map(|site| site.parse().expect("an origin")).collect();
        FrameFlags { embed_origin, discord_app }
    }

    #[test]
    fn only_the_view_for_other_sites_can_be_framed_and_only_by_those_that_are_named() {
        let none = flags(&[], None);
        assert_eq!(none.ancestors(true, Entrance::Front), "'none'");
        let two = flags(&["https://blog.example", "http://localhost:3000"], Some(7));
        assert_eq!(two.ancestors(true, Entrance::Front), "https://blog.example http://localhost:3000");
        assert_eq!(two.ancestors(false, Entrance::Front), "'none'");
        assert_eq!(flags(&["any"], None).ancestors(true, Entrance::Front), "*");
    }

    #[test]
    fn discord_enters_below_a_path_of_its_own_and_may_frame_what_it_finds_there() {
        let enters = |flags: &FrameFlags, address: &str| {
            let mut uri: Uri = address.parse().expect("an address");
            let entrance = flags.strip(&mut uri);
            (entrance, uri.to_string())
        };
        let (with, without) = (flags(&[], Some(7)), flags(&[], None));
        assert_eq!(enters(&with, "/discord/?frame_id=1"), (Entrance::Discord, "/?frame_id=1".to_owned()));
        assert_eq!(enters(&with, "/discord?frame_id=1"), (Entrance::Discord, "/?frame_id=1".to_owned()));
        assert_eq!(enters(&with, "/discords"), (Entrance::Front, "/discords".to_owned()));
        assert_eq!(enters(&with, "/discord/ws"), (Entrance::Discord, "/ws".to_owned()));
        assert_eq!(enters(&with, "/ws"), (Entrance::Front, "/ws".to_owned()));
        assert_eq!(enters(&without, "/discord/ws"), (Entrance::Front, "/discord/ws".to_owned()));
        assert!(with.ancestors(false, Entrance::Discord).contains("https://discord.com "));
        assert_eq!(with.ancestors(false, Entrance::Front), "'none'");
        assert_eq!(with.discord_origin().map(|origin| origin.to_string()), Some("https://7.discordsays.com".into()));
        assert_eq!(without.discord_origin(), None);
    }

    #[test]
    fn what_is_no_site_is_refused() {
        for bad in ["blog.example", "https://[::1]", "app://local", "*", "'self'", "https://a.example; script-src *"] {
            let refusal = bad.parse::<FrameOrigin>().expect_err(bad);
            assert!(refusal.contains("https://"), "{bad}: {refusal}");
        }
    }
}
