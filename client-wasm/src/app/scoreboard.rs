//! The scoreboard: when it is open, what it asks for, and whom a click on it follows.

use broadside_shared::client::Client;
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::message::{Request, ScoreLine};

use super::App;
use super::chat::PendingRequest;
use crate::browser;
use crate::cartridge::Cartridge;
use crate::hud::scoreboard::Row;

impl<C: Cartridge> App<C> {
    /// Opens the scoreboard until it is closed, or closes it.
    pub(super) fn toggle_scores(&mut self) {
        if self.flow.is_playing() {
            self.devices.borrow_mut().release();
            self.screens.pause(false);
            self.scoreboard.toggle();
            if !self.scoreboard.is_pinned() {
                self.screens.focus_game();
            }
        }
    }

    /// Shows the scoreboard while it is open, and asks for its scores once a second.
    pub(super) fn show_scores(&mut self) {
        let held = self.devices.borrow().wants_scores();
        if !self.scoreboard.hold(held) {
            return;
        }
        if self.scoreboard.is_due(browser::now_ms() / 1000.0) {
            self.send_request(Request::Scores, PendingRequest::Scores);
        }
        let Some(client) = self.connection.as_ref().map(|connection| &connection.client) else { return };
        let (own, is_spectator) = (client.player(), self.flow.is_spectating());
        let followed = client.following().filter(|_| is_spectator);
        let cartridge = &self.cartridge;
        let row = |line: ScoreLine| Row {
            line,
            name: client.name_of(line.player).unwrap_or("…"),
            team: cartridge.team_of(line.player),
            is_own: own == Some(line.player) && !is_spectator,
            is_bot: client.is_bot(line.player),
            is_away: client.is_away(line.player),
            is_followed: followed == Some(line.player),
        };
        self.scoreboard.show(lines_of(client).map(row), client.players(), is_spectator);
    }

    /// Follows a player from whatever names one: in a replay, or as a spectator.
    pub(super) fn follow(&mut self, player: PlayerId) {
        if self.flow.is_replaying() {
            self.follow_in_replay(Some(player));
        } else if self.flow.is_spectating() {
            self.send_request(Request::Follow { player }, PendingRequest::Follow);
        }
    }
}

/// The scores as they were last received, of those who are still there; before the first, all players with the scores of the board.
fn lines_of<G: Game>(client: &Client<G>) -> impl Iterator<Item = ScoreLine> + '_ {
    let known = client.scores().iter().filter(|line| client.name_of(line.player).is_some()).copied();
    let before = client.scores().is_empty().then(|| {
        let of_board = |player| client.board().iter().find(|line| line.player == player).map_or(0, |line| line.score);
        let line =
            move |player| ScoreLine { player, score: of_board(player), kills: 0, deaths: 0, assists: 0, ping_ms: 0 };
        client.roster().map(move |(player, _)| line(player))
    });
    known.chain(before.into_iter().flatten())
}
