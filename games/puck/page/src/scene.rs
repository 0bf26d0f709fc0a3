//! What one image shows.

use broadside_client::Image;
use broadside_puck::{DiscView, Puck, fields};
use broadside_shared::ids::{EntityId, PlayerId};
use glam::Vec2;

use crate::bodies::Body;

/// Everything that moves, in the order it is drawn.
#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) discs: Vec<Body>,
    pub(crate) puck: Option<(EntityId, Vec2)>,
    /// The teams of the players last seen.
    teams: Vec<(PlayerId, u8)>,
}

impl Scene {
    /// Takes what a client sees.
    pub(crate) fn show(&mut self, image: &Image<'_, Puck>) {
        self.discs.clear();
        self.puck = None;
        let name = |player| image.client.name_of(player).unwrap_or_default().to_owned();
        let followed = image.followed();
        for entity in &image.view.entities {
            if entity.kind == fields::PUCK {
                self.puck = Some((entity.id, Vec2::new(entity.values[0], entity.values[1])));
            } else if let Some(disc) = DiscView::read(entity.id, entity.kind, &entity.values) {
                let is_own = followed == Some(disc.player);
                self.discs.push(Body { disc, name: name(disc.player), is_own, ghost: None });
            }
        }
        if let (Some(own), Some(at)) = (&image.view.own, image.own_at()) {
            let disc = DiscView { at, ..DiscView::from(own.current.disc()) };
            let ghost = image.authority.map(|authority| authority.disc().at);
            self.discs.push(Body { disc, name: name(disc.player), is_own: true, ghost });
        }
    }

    /// Takes the match behind the title.
    pub(crate) fn show_title(&mut self, puck: &Puck) {
        let body = |disc| Body { disc: DiscView::from(disc), name: String::new(), is_own: false, ghost: None };
        self.discs = puck.play().discs.iter().map(body).collect();
        self.puck = Some((puck.play().puck.id, puck.play().puck.at));
    }

    /// Remembers who plays for which team.
    pub(crate) fn note_teams(&mut self, image: &Image<'_, Puck>) {
        let entities = &image.view.entities;
        let others = entities.iter().filter_map(|entity| DiscView::read(entity.id, entity.kind, &entity.values));
        let own = image.view.own.as_ref().map(|own| DiscView::from(own.current.disc()));
        self.teams.clear();
        self.teams.extend(others.chain(own).map(|disc| (disc.player, disc.team)));
    }

    pub(crate) fn team_of(&self, player: PlayerId) -> Option<u8> {
        self.teams.iter().find(|(of, _)| *of == player).map(|(_, team)| *team)
    }
}
