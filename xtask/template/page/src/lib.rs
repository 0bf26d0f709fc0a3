//! The page: what is drawn, and what keys mean. Title, rooms, chat, scores and connection are the shell's.

use broadside_client::{Cartridge, Color, Controls, Cues, Image, Page, Particle, ParticleShape, Particles, Pen};
use broadside_client::{Report, Sound, SoundId, synth};
use broadside_shared::client::Client;
use broadside_shared::ids::PlayerId;
use glam::Vec2;

use my_game::{Collected, EDGE, STAR, Steer, World};

const GOLD: Color = Color::hex(0xff_d166);
const LINES: Color = Color::hex(0x1c_2a44);
const WALLS: Color = Color::hex(0x5f_7fb5);
/// Radius of a dot and of a star, in world units.
const DOT_SIZE: f32 = 15.0;
const STAR_SIZE: f32 = 13.0;

struct Dots {
    particles: Particles,
    /// The star that was drawn nearest to the own dot, for tests.
    nearest: Option<Vec2>,
}

impl Cartridge for Dots {
    type Game = World;
    const SOUNDS: &'static [Sound] = &[Sound::once(|| synth::chime(&[880.0, 1318.5], 0.05, 0.3))];

    fn new(_page: &Page<'_>) -> Result<Self, String> {
        Ok(Dots { particles: Particles::new(500), nearest: None })
    }

    fn input(&mut self, controls: &Controls) -> Steer {
        // W S A D, the arrow keys, or the left thumb.
        Steer::towards(controls.direction())
    }

    fn draw(&mut self, image: &Image<'_, World>, pen: &mut Pen<'_>) {
        draw_ground(pen);
        let own = image.own_at();
        self.nearest = None;
        for entity in &image.view.entities {
            let [x, y, _, _, player, ..] = entity.values;
            let at = Vec2::new(x, y);
            if entity.kind == STAR {
                draw_star(at, pen);
                let away = |star: Vec2| star.distance(own.unwrap_or_default());
                self.nearest = self.nearest.filter(|star| away(*star) < away(at)).or(Some(at));
            } else {
                draw_dot(
                    image.client.name_of(PlayerId(player as u16)),
                    at,
                    Color::of_player(PlayerId(player as u16)),
                    pen,
                );
            }
        }
        if let Some(at) = own {
            draw_dot(None, at, Color::OWN, pen);
        }
        self.particles.advance(image.dt);
        self.particles.draw(pen);
    }

    fn event(&mut self, Collected { by, at }: &Collected, image: &Image<'_, World>, cues: &mut Cues<'_>) {
        cues.play(SoundId::own(0), *at, if image.own_player() == Some(*by) { 0.8 } else { 0.3 });
        for n in 0..12 {
            let way = Vec2::from_angle(n as f32 * 0.52) * 150.0;
            let colors = (GOLD, GOLD.alpha(0.0));
            self.particles.add(Particle::new(ParticleShape::Spark, *at, 0.5, (3.0, 1.0), colors).flying(way, 3.0));
        }
    }

    fn report(&self, client: Option<&Client<World>>, report: Report) -> Report {
        let own = client.and_then(Client::local_player);
        let place = |report: Report, x, y, at: Option<Vec2>| match at {
            Some(at) => report.with(x, at.x).with(y, at.y),
            None => report,
        };
        let report = place(report, "x", "y", own.map(|dot| dot.at));
        place(report, "star_x", "star_y", self.nearest)
    }
}

fn draw_ground(pen: &mut Pen<'_>) {
    for n in -5_i32..=5 {
        let at = n as f32 * EDGE / 5.0;
        let (color, width) = if n.abs() == 5 { (WALLS, 6.0) } else { (LINES, 2.0) };
        pen.line(Vec2::new(at, -EDGE), Vec2::new(at, EDGE), width, color);
        pen.line(Vec2::new(-EDGE, at), Vec2::new(EDGE, at), width, color);
    }
}

fn draw_dot(name: Option<&str>, at: Vec2, color: Color, pen: &mut Pen<'_>) {
    pen.glow(at, DOT_SIZE * 3.0, color.alpha(0.35));
    pen.disc(at, DOT_SIZE, color);
    if let Some(name) = name {
        pen.text(name, at - Vec2::Y * (DOT_SIZE + 12.0), 13.0, Color::WHITE.alpha(0.8));
    }
}

fn draw_star(at: Vec2, pen: &mut Pen<'_>) {
    let turn = pen.seconds as f32;
    let corner = |n: u8| {
        let reach = if n.is_multiple_of(2) { STAR_SIZE } else { STAR_SIZE * 0.45 };
        at + Vec2::from_angle(turn + f32::from(n) * std::f32::consts::PI / 5.0) * reach
    };
    pen.glow(at, STAR_SIZE * 3.0, GOLD.alpha(0.3));
    pen.polygon(&std::array::from_fn::<Vec2, 10, _>(|n| corner(n as u8)), GOLD);
}

broadside_client::page!(Dots);
