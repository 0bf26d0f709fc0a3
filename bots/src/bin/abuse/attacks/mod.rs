//! Every attack: what it does, and which reactions are good.
//!
//! | module | target |
//! |---|---|
//! | `frames` | WebSocket framing |
//! | `messages` | the game's protocol and the session behind it |
//! | `http` | the handshake and the rest of HTTP |
//! | `crowd` | bounded resources: connections, seats, rooms |
//! | `system` | the process: open files, log, CPU time |

mod crowd;
mod frames;
mod http;
mod messages;
mod system;

use broadside_shared::game::Game;

use crate::attack::Attack;

/// Every attack, grouped by the kind of server it needs.
pub(crate) fn all<G: Game>() -> Vec<Attack> {
    let mut all: Vec<Attack> =
        [frames::attacks(), messages::attacks::<G>(), http::attacks(), crowd::attacks::<G>(), system::attacks()]
            .into_iter()
            .flatten()
            .collect();
    all.sort_by_key(|attack| attack.kind);
    all
}

#[cfg(test)]
mod tests {
    use broadside_shared::toy::Toy;

    use super::*;

    #[test]
    fn every_attack_has_a_unique_name_and_an_allowed_reaction() {
        let attacks = all::<Toy>();
        assert!(attacks.len() >= 45, "{}", attacks.len());
        for (at, attack) in attacks.iter().enumerate() {
            assert!(!attacks[at + 1..].iter().any(|other| other.name == attack.name), "{}", attack.name);
            assert!(
                !attack.allowed.is_empty() && attack.required.iter().all(|reaction| attack.allowed.contains(reaction)),
                "{}",
                attack.name
            );
        }
    }
}
