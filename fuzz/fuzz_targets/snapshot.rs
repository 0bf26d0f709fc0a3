//! Whole frames at a client that plays: any bytes are taken or refused, and what was taken can be drawn.
#![no_main]

use broadside_shared::arena::{Arena, ArenaInput};
use broadside_shared::client::{Client, ClientConfig, Detail};
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::codec::encode_server;
use broadside_shared::protocol::message::ServerMsg;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Mode, Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::MonoTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    let Ok(name) = Name::new("fuzz") else { return };
    let mut client: Client<Arena> = Client::new(ClientConfig { name, agent: String::new(), room: Some(RoomChoice::Quick), role: Role::Play, detail: Detail::View });
    let mut now = MonoTime(1_000_000);
    client.handle_open(now);
    for msg in [
        ServerMsg::Welcome {
            revision: 1,
            server: String::new(),
            token: Token { session: 1, signature: [0; 16] },
            resumed: false,
        },
        ServerMsg::Joined {
            room: RoomId(1),
            player: PlayerId(3),
            tick_hz: 60,
            snapshot_every: 2,
            tick_zero: MonoTime(0),
            mode: Mode::Open,
            role: Role::Play,
        },
        ServerMsg::Pong { client_time: now, server_time: now , tick_us: 412},
    ] {
        let _ = client.handle_frame(now, &encode_server(&msg));
    }
    for frame in frames {
        now = now.plus_us(33_333);
        if client.handle_frame(now, &frame).is_err() {
            return;
        }
        client.advance(now, &ArenaInput::default());
        client.view(now);
        while client.poll_frame().is_some() || client.poll_event().is_some() {}
    }
});
