//! Colors: how a player's number becomes a hue, and how colors are sent to the GPU.

use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::TEAMS_MAX;

/// A color with straight alpha, each part 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Color {
    pub r: f32,
    pub g: f32,
    pub b: f32,
    /// Opacity; for sprites that add light, their strength.
    pub a: f32,
}

impl Color {
    /// White.
    pub const WHITE: Color = Color::hex(0xff_ffff);
    /// The own player and what belongs to them: no other player gets this color.
    pub const OWN: Color = Color::hex(0x55_e0ff);

    /// An opaque color from `0xRRGGBB`.
    #[must_use]
    pub const fn hex(rgb: u32) -> Color {
        Color {
            r: ((rgb >> 16) & 255) as f32 / 255.0,
            g: ((rgb >> 8) & 255) as f32 / 255.0,
            b: (rgb & 255) as f32 / 255.0,
            a: 1.0,
        }
    }

    /// An opaque color from hue (turns), saturation and lightness, each 0..=1.
    #[must_use]
    pub fn hsl(hue: f32, saturation: f32, lightness: f32) -> Color {
        let chroma = saturation * lightness.min(1.0 - lightness);
        let part = |n: f32| {
            let k = (n + hue * 12.0).rem_euclid(12.0);
            lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
        };
        Color { r: part(0.0), g: part(8.0), b: part(4.0), a: 1.0 }
    }

    /// The same color with this opacity.
    #[must_use]
    pub const fn alpha(self, a: f32) -> Color {
        Color { a, ..self }
    }

    /// The color `share` of the way to `other`, opacity included.
    #[must_use]
    pub fn mix(self, other: Color, share: f32) -> Color {
        let part = |a: f32, b: f32| a + (b - a) * share;
        Color { r: part(self.r, other.r), g: part(self.g, other.g), b: part(self.b, other.b), a: part(self.a, other.a) }
    }

    /// The color of a team. The first two are distinct also for people who cannot tell red from green.
    #[must_use]
    pub fn of_team(team: u8) -> Color {
        TEAM_COLORS[usize::from(team) % TEAM_COLORS.len()]
    }

    /// The color of another player, far from [`Color::OWN`] and constant while they hold their seat.
    #[must_use]
    pub fn of_player(PlayerId(player): PlayerId) -> Color {
        // Steps of the golden ratio spread neighboring numbers' hues; the cyan third of the circle is reserved for the own player.
        let step = (f32::from(player) * 0.618_034).fract();
        let hue = (0.60 + step * 0.80).fract();
        // Blue and violet look darker than yellow at equal lightness.
        let blue = 1.0 - ((hue - 0.69).abs() / 0.12).min(1.0);
        Color::hsl(hue, 0.88, 0.60 + 0.10 * blue)
    }

    /// CSS notation: `#rrggbb`, and `#rrggbbaa` with transparency.
    #[must_use]
    pub fn css(self) -> String {
        let [r, g, b, a] = self.bytes();
        if a == 255 { format!("#{r:02x}{g:02x}{b:02x}") } else { format!("#{r:02x}{g:02x}{b:02x}{a:02x}") }
    }

    /// Four bytes for the GPU, each part clamped to 0..=1.
    #[must_use]
    pub fn bytes(self) -> [u8; 4] {
        [self.r, self.g, self.b, self.a].map(|part| (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
    }
}

/// The colors of the teams; `assets/style.css` has the same.
const TEAM_COLORS: [Color; TEAMS_MAX] = [
    Color::hex(0xff_a436),
    Color::hex(0x4a_a6ff),
    Color::hex(0x74_f2a8),
    Color::hex(0xff_6fb0),
    Color::hex(0xb7_9bff),
    Color::hex(0xf2_e66a),
    Color::hex(0x5f_e0d0),
    Color::hex(0xd8_dee8),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_go_round_from_red_through_green_and_blue() {
        let near = |a: Color, b: Color| (a.r - b.r).abs() + (a.g - b.g).abs() + (a.b - b.b).abs() < 0.01;
        assert!(near(Color::hsl(0.0, 1.0, 0.5), Color::hex(0xff_0000)));
        assert!(near(Color::hsl(1.0 / 3.0, 1.0, 0.5), Color::hex(0x00_ff00)));
        assert!(near(Color::hsl(2.0 / 3.0, 1.0, 0.5), Color::hex(0x00_00ff)));
    }

    #[test]
    fn css_names_the_same_color() {
        assert_eq!(Color::hex(0x0a_ff00).css(), "#0aff00");
        assert_eq!(Color::hex(0x0a_ff00).alpha(0.5).css(), "#0aff0080");
    }

    #[test]
    fn no_other_player_has_the_own_color() {
        let distance = |c: Color| (c.r - Color::OWN.r).abs() + (c.g - Color::OWN.g).abs() + (c.b - Color::OWN.b).abs();
        for player in 0..500 {
            let color = Color::of_player(PlayerId(player));
            assert!(distance(color) > 0.3, "player {player}: {color:?}");
        }
    }
}
