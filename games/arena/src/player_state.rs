//! A player's exact private state on the wire: usual values take few bits, and nothing is rounded.

use glam::Vec2;

use super::border::Border;
use super::craft::Craft;
use super::fields;
use super::rules::{BOOST_MAX, CALM, CONTACT_TICKS, COUNTDOWN, MINE_COOLDOWN, RAIL_COOLDOWN};
use super::ship::LocalPlayerState;
use super::twist::Twist;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;

const PLAYER_BITS: u32 = fields::OWNER_BITS as u32;
const ARMOUR_BITS: u32 = 13;
/// Bits of the short timers.
const TIMER_BITS: u32 = 7;
/// Bits of the boost used, and of the ticks until the next mine: most of the time both are 0, and take one together.
const TOOL_BITS: u32 = 9;
/// Bits of the ticks until a round starts.
const HELD_BITS: u32 = 8;
/// Bits of the number of a craft.
const CRAFT_BITS: u32 = 2;
/// Bits of the number of a twist.
const TWIST_BITS: u32 = 2;
const _: () = assert!(Craft::HULL_MOST < 1 << ARMOUR_BITS);
const _: () = assert!(BOOST_MAX < 1 << TOOL_BITS && MINE_COOLDOWN < 1 << TOOL_BITS);
const _: () = assert!(COUNTDOWN < 1 << HELD_BITS && crate::modes::TEAM_COUNT == 2);
const _: () = assert!(RAIL_COOLDOWN < 1 << TIMER_BITS && CONTACT_TICKS < 1 << TIMER_BITS);

/// What [`write()`] appends.
pub(super) const LAYOUT: Layout = Layout::Fields(&[
    ("player", Layout::Bits(PLAYER_BITS as u8)),
    ("x", Layout::F32),
    ("y", Layout::F32),
    ("border", Border::LAYOUT),
    ("score", Layout::Signed(6)),
    ("kills", Layout::Golomb(3)),
    ("deaths", Layout::Golomb(3)),
    ("life", Layout::Choice { bits: 1, variants: &[("wreck", WRECK), ("ship", SHIP)] }),
    ("special", Layout::Option(&SPECIAL)),
]);
/// What an open arena has not, or few have.
const SPECIAL: Layout = Layout::Fields(&[
    ("craft", Layout::Bits(CRAFT_BITS as u8)),
    ("twist", Layout::Bits(TWIST_BITS as u8)),
    ("team", Layout::Option(&TEAM)),
]);
const TEAM: Layout =
    Layout::Fields(&[("number", Layout::Bits(1)), ("held", Layout::Option(&Layout::Bits(HELD_BITS as u8)))]);
const WRECK: Layout = Layout::Fields(&[("respawn", Layout::Bits(8)), ("heading", Layout::Bits(16))]);
const SHIP: Layout = Layout::Fields(&[
    ("entity", Layout::Bits(16)),
    ("vx", Layout::F32),
    ("vy", Layout::F32),
    ("heading", Layout::Bits(16)),
    ("hull", ARMOUR),
    ("cooldown", Layout::Bits(4)),
    ("rail", SHORT_TIMER),
    ("contact", SHORT_TIMER),
    ("unrest", LONG_TIMER),
    ("shield", LONG_TIMER),
    ("rapid", LONG_TIMER),
    ("protection", LONG_TIMER),
    ("tools", Layout::Option(&Layout::Fields(&[("spent", TOOL), ("mine", TOOL)]))),
]);
const ARMOUR: Layout = Layout::Bits(ARMOUR_BITS as u8);
const SHORT_TIMER: Layout = Layout::Option(&Layout::Bits(TIMER_BITS as u8));
const TOOL: Layout = Layout::Bits(TOOL_BITS as u8);
const LONG_TIMER: Layout = Layout::Option(&ARMOUR);

/// Appends an exact private state: about 34 bytes in a fight.
pub(super) fn write(own: &LocalPlayerState, out: &mut BitWriter) {
    out.bits(u32::from(own.player.0), PLAYER_BITS);
    for value in [own.position.x, own.position.y] {
        out.f32(value);
    }
    own.border.write(out);
    out.signed(own.score, 6);
    out.golomb(u32::from(own.kills), 3);
    out.golomb(u32::from(own.deaths), 3);
    out.flag(own.afloat());
    let Some(entity) = own.entity else {
        out.bits(u32::from(own.respawn), 8);
        out.bits(u32::from(own.heading), 16);
        write_rest(own, out);
        return;
    };
    out.bits(u32::from(entity.0), 16);
    for value in [own.velocity.x, own.velocity.y] {
        out.f32(value);
    }
    out.bits(u32::from(own.heading), 16);
    out.bits(u32::from(own.hull), ARMOUR_BITS);
    out.bits(u32::from(own.cooldown), 4);
    for timer in [own.rail, own.contact] {
        out.flag(timer > 0);
        if timer > 0 {
            out.bits(u32::from(timer), TIMER_BITS);
        }
    }
    for timer in [CALM - own.calm, own.shield, own.rapid, own.protection] {
        out.flag(timer > 0);
        if timer > 0 {
            out.bits(u32::from(timer), ARMOUR_BITS);
        }
    }
    out.flag(own.spent > 0 || own.mine > 0);
    if own.spent > 0 || own.mine > 0 {
        out.bits(u32::from(own.spent), TOOL_BITS);
        out.bits(u32::from(own.mine), TOOL_BITS);
    }
    write_rest(own, out);
}

/// Craft, twist and team: at the end, where the padding of most states without any has a spare bit.
fn write_rest(own: &LocalPlayerState, out: &mut BitWriter) {
    let special = own.team.is_some() || own.craft != Craft::default() || own.twist != Twist::None;
    out.flag(special);
    if !special {
        return;
    }
    out.bits(u32::from(own.craft.number()), CRAFT_BITS);
    out.bits(u32::from(own.twist.number()), TWIST_BITS);
    out.flag(own.team.is_some());
    if let Some(team) = own.team {
        out.bits(u32::from(team), 1);
        out.flag(own.held > 0);
        if own.held > 0 {
            out.bits(u32::from(own.held), HELD_BITS);
        }
    }
}

fn read_rest(own: &mut LocalPlayerState, bits: &mut BitReader<'_>) -> Result<(), WireError> {
    if bits.flag()? {
        own.craft = Craft::of(bits.bits(CRAFT_BITS)? as u8);
        own.twist = Twist::of(bits.bits(TWIST_BITS)? as u8);
        if bits.flag()? {
            own.team = Some(bits.bits(1)? as u8);
            if bits.flag()? {
                own.held = bits.bits(HELD_BITS)? as u16;
            }
        }
    }
    Ok(())
}

/// Reads what [`write()`] wrote.
pub(super) fn read(bits: &mut BitReader<'_>) -> Result<LocalPlayerState, WireError> {
    let player = PlayerId(bits.bits(PLAYER_BITS)? as u16);
    let position = Vec2::new(bits.f32("x")?, bits.f32("y")?);
    let mut own = LocalPlayerState::ashore(player, Border::read(bits)?);
    own.position = position;
    own.score = bits.signed(6)?;
    own.kills = bits.count(3, usize::from(u16::MAX), "kills")? as u16;
    own.deaths = bits.count(3, usize::from(u16::MAX), "deaths")? as u16;
    if !bits.flag()? {
        own.respawn = bits.bits(8)? as u16;
        own.heading = bits.bits(16)? as u16;
        read_rest(&mut own, bits)?;
        return Ok(own);
    }
    own.entity = Some(EntityId(bits.bits(16)? as u16));
    own.velocity = Vec2::new(bits.f32("vx")?, bits.f32("vy")?);
    own.heading = bits.bits(16)? as u16;
    own.hull = bits.bits(ARMOUR_BITS)? as u16;
    own.cooldown = bits.bits(4)? as u8;
    for timer in [&mut own.rail, &mut own.contact] {
        if bits.flag()? {
            *timer = bits.bits(TIMER_BITS)? as u8;
        }
    }
    let mut unrest = 0;
    for timer in [&mut unrest, &mut own.shield, &mut own.rapid, &mut own.protection] {
        if bits.flag()? {
            *timer = bits.bits(ARMOUR_BITS)? as u16;
        }
    }
    own.calm = CALM.saturating_sub(unrest);
    if bits.flag()? {
        own.spent = bits.bits(TOOL_BITS)? as u16;
        own.mine = bits.bits(TOOL_BITS)? as u16;
    }
    read_rest(&mut own, bits)?;
    Ok(own)
}
